/** A part of the page as an SVG of its own: boxes, lines of text, canvases as images; all styles inside, nothing fetched. */

import { makeSvg } from "./elements";
import { fieldText, text } from "./picture_text";

const NAMESPACE = "http://www.w3.org/2000/svg";

const SVG_STYLES = [
  ...["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "stroke-linejoin"],
  ...["opacity", "font-family", "font-size", "font-weight", "font-style", "text-anchor", "dominant-baseline", "vector-effect"],
  ...[
    "visibility",
    "display",
    "transform",
    "transform-origin",
    "marker-end",
    "paint-order",
    "letter-spacing",
    "mix-blend-mode",
    "stop-color",
    "stop-opacity",
  ],
];

/** Dispatched to an element before its picture is made: what it draws only when in sight, it draws now. */
export const PICTURE = "byhand-picture";

export interface Corner {
  left: number;
  top: number;
}

export interface Picture {
  svg: string;
  width: number;
  height: number;
  colour: string; // behind it all
}

/** The element as it is shown now. */
export function pictureOf(element: HTMLElement): Picture {
  element.dispatchEvent(new CustomEvent(PICTURE, { bubbles: true }));
  for (const inner of element.querySelectorAll(".layer-view")) inner.dispatchEvent(new CustomEvent(PICTURE));
  const box = element.getBoundingClientRect();
  const [width, height] = [Math.max(1, Math.ceil(box.width)), Math.max(1, Math.ceil(box.height))];
  const root = makeSvg("svg", { xmlns: NAMESPACE, width, height, viewBox: `0 0 ${width} ${height}` });
  root.append(makeSvg("title", {}, element.dataset["panel"] ?? "byhand"));
  const colour = behind(element);
  root.append(makeSvg("rect", { width, height, fill: colour }));
  draw(element, root, box);
  return { svg: new XMLSerializer().serializeToString(root), width, height, colour };
}

/** The first colour that is not see-through, from the element up. */
function behind(element: Element): string {
  for (let at: Element | null = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (seen(colour)) return colour;
  }
  return "#ffffff";
}

function draw(element: Element, into: SVGElement, corner: Corner): void {
  const style = getComputedStyle(element);
  if (style.display === "none" || style.visibility === "hidden" || style.opacity === "0" || element.classList.contains("unseen")) return;
  if (!element.checkVisibility()) return; // in what is folded away
  const box = element.getBoundingClientRect();
  if (element instanceof SVGSVGElement) {
    into.append(svgCopy(element, box, corner));
    return;
  }
  const group = makeSvg("g", style.opacity === "1" ? {} : { opacity: style.opacity });
  background(group, style, box, corner);
  if (element instanceof HTMLCanvasElement && element.width && element.height) group.append(image(element, box, corner));
  else if (element instanceof HTMLInputElement || element instanceof HTMLSelectElement) fieldText(group, element, style, box, corner);
  else children(element, group, style, box, corner);
  if (group.childNodes.length) into.append(group);
}

function children(element: Element, group: SVGElement, style: CSSStyleDeclaration, box: DOMRect, corner: Corner): void {
  let into = group;
  if (style.overflowX !== "visible" || style.overflowY !== "visible") {
    const id = `clip-${Math.random().toString(36).slice(2)}`;
    group.append(makeSvg("clipPath", { id }, makeSvg("rect", placed(box, corner))));
    into = makeSvg("g", { "clip-path": `url(#${id})` });
    group.append(into);
  }
  for (const child of element.childNodes) {
    if (child instanceof Element) draw(child, into, corner);
    else if (child instanceof Text) text(child, into, style, corner);
  }
}

function placed(box: DOMRect, corner: Corner): Record<string, number> {
  return { x: box.left - corner.left, y: box.top - corner.top, width: box.width, height: box.height };
}

const seen = (colour: string): boolean => colour !== "transparent" && !/^rgba\(.*,\s*0\)$|\/\s*0%?\)$/.test(colour);

function background(group: SVGElement, style: CSSStyleDeclaration, box: DOMRect, corner: Corner): void {
  const at = placed(box, corner);
  const rx = Math.min(parseFloat(style.borderTopLeftRadius) || 0, box.height / 2);
  if (seen(style.backgroundColor)) group.append(makeSvg("rect", { ...at, rx, fill: style.backgroundColor }));
  gradient(group, style.backgroundImage, at, rx);
  const sides = (["Top", "Right", "Bottom", "Left"] as const).map((side) => ({
    width: style[`border${side}Style`] === "none" ? 0 : parseFloat(style[`border${side}Width`]) || 0,
    colour: style[`border${side}Color`],
  }));
  const [first] = sides;
  if (sides.every(({ width, colour }) => width === first.width && colour === first.colour)) {
    const half = first.width / 2;
    if (first.width && seen(first.colour))
      group.append(
        makeSvg("rect", {
          x: at.x + half,
          y: at.y + half,
          width: Math.max(0, at.width - first.width),
          height: Math.max(0, at.height - first.width),
          rx,
          fill: "none",
          stroke: first.colour,
          "stroke-width": first.width,
        }),
      );
    return;
  }
  const [right, bottom] = [at.x + at.width, at.y + at.height];
  const ends = [
    [at.x, at.y, right, at.y],
    [right, at.y, right, bottom],
    [at.x, bottom, right, bottom],
    [at.x, at.y, at.x, bottom],
  ];
  sides.forEach(({ width, colour }, index) => {
    const [x1, y1, x2, y2] = ends[index];
    if (width && seen(colour)) group.append(makeSvg("line", { x1, y1, x2, y2, stroke: colour, "stroke-width": width }));
  });
}

/** A linear gradient from left to right, or to the lower right corner: the two that the page uses. */
function gradient(group: SVGElement, picture: string, at: Record<string, number>, rx: number): void {
  const found = picture.match(/^linear-gradient\((to right|135deg), (rgb.*)\)$/);
  if (!found) return;
  const stops = found[2].match(/rgba?\([^)]*\)(\s[\d.]+%)?/g) ?? [];
  const id = `gradient-${Math.random().toString(36).slice(2)}`;
  const steps = stops.map((stop, index) => {
    const [colour, share = `${(100 * index) / Math.max(1, stops.length - 1)}%`] = stop.split(/\s(?=[\d.]+%$)/);
    return makeSvg("stop", { offset: share, "stop-color": colour });
  });
  group.append(
    makeSvg("linearGradient", { id, x2: 1, y2: found[1] === "135deg" ? 1 : 0 }, ...steps),
    makeSvg("rect", { ...at, rx, fill: `url(#${id})` }),
  );
}

function image(canvas: HTMLCanvasElement, box: DOMRect, corner: Corner): SVGElement {
  const found = makeSvg("image", { ...placed(box, corner), preserveAspectRatio: "none", href: canvas.toDataURL("image/png") });
  if (getComputedStyle(canvas).imageRendering === "pixelated") found.setAttribute("style", "image-rendering: pixelated");
  return found;
}

function svgCopy(element: SVGSVGElement, box: DOMRect, corner: Corner): SVGElement {
  const copy = element.cloneNode(true) as SVGSVGElement;
  const originals = [element, ...element.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((one, index) => {
    if (!(one instanceof SVGElement)) return;
    const style = getComputedStyle(originals[index]);
    for (const name of SVG_STYLES) {
      const value = style.getPropertyValue(name);
      if (value && value !== "none 0px" && !(name === "transform" && value === "none")) one.style.setProperty(name, value);
    }
    one.removeAttribute("class");
  });
  for (const [name, value] of Object.entries(placed(box, corner))) copy.setAttribute(name, String(value));
  copy.style.removeProperty("transform");
  return copy;
}

export interface Shown extends Picture {
  picture: HTMLImageElement; // decoded: it can be drawn
}

export async function shownAs(of: Picture): Promise<Shown> {
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(of.svg)}`;
  await picture.decode();
  return { ...of, picture };
}

/** The picture in dots, `sharp` for each pixel of the page. */
export async function dotsOf(of: Picture, sharp = 2): Promise<Blob> {
  const { picture, width, height } = await shownAs(of);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * sharp, height * sharp];
  canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) =>
    canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("the picture is too large to be saved"))), "image/png"),
  );
}
