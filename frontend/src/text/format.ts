/** Numbers and characters as text, the same everywhere. */

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
  return { " ": "␣", "\n": "↵", "\t": "⇥", "": "∅" }[character] ?? character;
}

/** Units and steps with their plural: "1 unit", "3 units". */
export function count(number: number, word: string): string {
  return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
}

export const MINUS = "−";

/** A number for people: two decimals, more where it is small, fewer where it is large. */
export function figure(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : `${MINUS}∞`;
  const size = Math.abs(value);
  let text: string;
  if (size !== 0 && size < 5e-7) text = size.toExponential(0);
  else if (size >= 1e6) text = size.toExponential(1);
  else if (size !== 0 && size < 0.01) text = String(Number(size.toPrecision(1)));
  else text = size.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : 2);
  text = text.replace("-", MINUS); // of an exponent
  return value < 0 && !/^0(\.0*)?$/.test(text) ? MINUS + text : text;
}

export function percent(share: number): string {
  const size = share * 100;
  return `${size >= 99.5 || size < 0.05 ? Math.round(size) : size < 10 ? Number(size.toPrecision(2)) : Math.round(size)} %`.replace(
    "-",
    MINUS,
  );
}
