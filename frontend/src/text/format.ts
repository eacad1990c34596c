/** Numbers and characters as text, the same everywhere. */

export const MINUS = "−";

/** A number for people: two decimals, more where it is small, fewer where it is large. error: how far it may be from what it stands for;
 *  then no digit is written that is not certain, and "≈" where not even the first one is. */
export function figure(value: number | null | undefined, error = 0): string {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : `${MINUS}∞`;
  const size = Math.abs(value);
  const few = size >= 1000 ? 0 : size >= 100 ? 1 : 2;
  if (error > 0) return certain(value, error, few);
  let text: string;
  if (size !== 0 && size < 5e-7) text = size.toExponential(0);
  else if (size >= 1e6) text = size.toExponential(1);
  else if (size !== 0 && size < 0.01) text = String(Number(size.toPrecision(1)));
  else text = size.toFixed(few);
  return signed(value < 0, text);
}

/** As many decimals, up to `most`, as are the same for all that the value may stand for. */
function certain(value: number, error: number, most: number): string {
  for (let digits = most; digits >= 0; digits--) {
    const [low, high] = [(value - error).toFixed(digits), (value + error).toFixed(digits)].map((text) =>
      text.replace(/^-(?=0(\.0*)?$)/, ""),
    );
    if (low === high) return signed(low.startsWith("-"), low.replace("-", ""));
  }
  return about(value);
}

/** One digit, of a value of which no more is known. */
export function about(value: number): string {
  if (!Number.isFinite(value)) return figure(value);
  const text = Number(Math.abs(value).toPrecision(1));
  return `≈${signed(value < 0, String(text))}`;
}

function signed(negative: boolean, text: string): string {
  const figures = text.replace("-", MINUS).replace("e+", "e"); // of an exponent
  return negative && !/^0(\.0*)?$/.test(text) ? MINUS + figures : figures;
}

/** A number at the end of a scale: no more digits than it needs. */
export function brief(value: number): string {
  const text = figure(value);
  return text.includes("e") || !text.includes(".") ? text : text.replace(/\.?0+$/, "");
}

/** A number that somebody has set: all of its digits, up to six. */
export function typed(value: number): string {
  return Number.isFinite(value) ? signed(value < 0, String(Number(Math.abs(value).toPrecision(6)))) : figure(value);
}

export function percent(share: number, error = 0): string {
  const size = share * 100;
  if (error > 0) return `${certain(size, 100 * error, 0)} %`;
  return `${size >= 99.5 || size < 0.05 ? Math.round(size) : size < 10 ? Number(size.toPrecision(2)) : Math.round(size)} %`.replace(
    "-",
    MINUS,
  );
}

/** What stands for a character that cannot be seen. */
export function visible(character: string): string {
  return { " ": "␣", "\n": "↵", "\t": "⇥", "": "∅" }[character] ?? character;
}

/** Units and steps with their plural: "1 unit", "3 units". */
export function count(number: number, word: string): string {
  return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
}
