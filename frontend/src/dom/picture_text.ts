/** The text of a page's part, line by line as it stands there, for its picture. */

import { makeSvg } from "./elements";
import type { Corner } from "./picture";

let ruler: CanvasRenderingContext2D | null = null; // made when it is needed: in a worker there is no document

/** The text at its lines' places; as wide as it was, whatever font the reader's machine puts in its place. */
export function text(node: Text, into: SVGElement, style: CSSStyleDeclaration, corner: Corner): void {
  if (!/\S/.test(node.data)) return;
  for (const { words, box } of linesOf(node)) write(into, words, box, style, corner);
}

/** Without the space around the words, which would count towards their width. */
function linesOf(node: Text): { words: string; box: DOMRect }[] {
  const range = document.createRange();
  const start = node.data.search(/\S/);
  range.setStart(node, start);
  range.setEnd(node, node.data.trimEnd().length);
  const whole = [...range.getClientRects()].filter(({ width }) => width > 0);
  if (whole.length === 1) return [{ words: range.toString(), box: whole[0] }];
  const lines: { words: string; box: DOMRect }[] = [];
  let gap = ""; // space that counts only once a word follows it on the same line
  for (let index = start; index < node.data.trimEnd().length; index += 1) {
    const letter = node.data[index];
    range.setStart(node, index);
    range.setEnd(node, index + 1);
    const [box] = range.getClientRects();
    if (/\s/.test(letter)) gap = " ";
    if (/\s/.test(letter) || !box || !box.width) continue;
    const line = lines[lines.length - 1];
    if (line && Math.abs(line.box.top - box.top) < 2) {
      line.words += gap + letter;
      line.box = new DOMRect(line.box.left, line.box.top, box.right - line.box.left, line.box.height);
    } else lines.push({ words: letter, box });
    gap = "";
  }
  return lines;
}

function write(into: SVGElement, words: string, box: DOMRect, style: CSSStyleDeclaration, corner: Corner): void {
  const shown = (style.textTransform === "uppercase" ? words.toUpperCase() : words).replace(/\s+/g, " ");
  const tidy = shown.trim();
  if (!tidy) return;
  ruler ??= document.createElement("canvas").getContext("2d");
  if (ruler) ruler.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  const measured = ruler?.measureText(tidy);
  const [up, down] = [measured?.fontBoundingBoxAscent ?? 0.8, measured?.fontBoundingBoxDescent ?? 0.2];
  const element = makeSvg("text", {
    ...{ x: box.left - corner.left, y: box.top - corner.top + (box.height * up) / (up + down), fill: style.color },
    ...{
      "font-family": style.fontFamily,
      "font-size": style.fontSize,
      "font-weight": style.fontWeight,
      "font-style": style.fontStyle,
    },
    ...{ textLength: box.width, lengthAdjust: "spacingAndGlyphs" },
  });
  element.append(tidy);
  into.append(element);
}

export function fieldText(
  group: SVGElement,
  field: HTMLInputElement | HTMLSelectElement,
  style: CSSStyleDeclaration,
  box: DOMRect,
  corner: Corner,
): void {
  const words =
    field instanceof HTMLSelectElement ? (field.selectedOptions[0]?.text ?? "") : /range|checkbox/.test(field.type) ? "" : field.value;
  if (!words) return;
  const size = parseFloat(style.fontSize);
  const x = box.left - corner.left + parseFloat(style.paddingLeft);
  const y = box.top - corner.top + box.height / 2 + size * 0.35;
  const element = makeSvg("text", { x, y, fill: style.color, "font-family": style.fontFamily, "font-size": style.fontSize });
  element.append(words);
  group.append(element);
}
