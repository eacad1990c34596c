/** Small helpers for building elements. Text only ever goes in as text. */

type Attributes = Record<string, string | number | boolean | null | undefined>;

function fill(element: Element, attributes: Attributes, children: (Node | string)[]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children); // a string becomes a text node
}

export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  fill(element, attributes, children);
  return element;
}

export function makeSvg<Name extends keyof SVGElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[Name] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  fill(element, attributes, children);
  return element;
}

/** Writes only what differs: a text that stays the same costs no layout. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A number as a person reads it: about four digits, a real minus sign, and words for what is no number. */
export function say(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.0005 || size >= 1e5)) {
    const [digits = "", power = ""] = value.toExponential(1).split("e");
    return `${digits}e${power.replace("+", "")}`.replaceAll("-", "−");
  }
  const text = value.toFixed(size < 10 ? 3 : size < 100 ? 2 : 1);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

/** A number at the end of a scale: no more digits than it needs. */
export function brief(value: number): string {
  const text = say(value);
  return text.includes("e") || !text.includes(".") ? text : text.replace(/\.?0+$/, "");
}

/** What stands for a character that cannot be seen. */
export function visible(character: string): string {
  return { " ": "␣", "\n": "⏎", "\t": "⇥", "": "∅" }[character] ?? character;
}

/** Units and steps with their plural: "1 unit", "3 units". */
export function count(number: number, word: string): string {
  return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
}
