/** What goes in along the top and what comes out along the bottom: characters, lines, or a map where there are many. */

import { make, makeSvg, write } from "../dom/elements";
import { FEW } from "../model/pooled";
import type { Values } from "../model/types";
import { rowsOf } from "../model/values";
import { brief, visible } from "../text/format";
import { diverging, type Palette, type Scheme, shares } from "./colours";
import { paint, placeOf, type Window } from "./heatmap";

const LETTER = 6.5; // pixels of a letter, roughly

const NARROW = 7; // pixels below which a character is not legible

/** A row of numbers over time, as lines or as a map. */
export class Stream {
  readonly element = make("div", { class: "map-row stream-row" });
  readonly box = make("div", { class: "stream-box", role: "img" });
  private readonly canvas = make("canvas");
  private readonly lines = makeSvg("svg", { preserveAspectRatio: "none", class: "stream-lines", "aria-hidden": "true" });
  private readonly pointer = make("div", { class: "cursor time" });
  private readonly note = make("span", { class: "map-note" });
  private readonly letters = make("div", { class: "stream-letters", "aria-hidden": "true" });
  private shown: Window = { from: 0, to: 1 };

  constructor(private readonly title: string) {
    this.element.append(make("div", { class: "map-label" }, make("div", { class: "map-name" }, make("b", {}, title)), this.note), this.box);
    this.box.append(this.canvas, this.lines, this.letters, this.pointer);
    this.element.dataset["panel"] = title;
  }

  /** names: of the columns. share: 0..1, as a softmax gives. letters: one for each step, drawn instead where there is room. */
  show(
    values: Values,
    options: { names: string[]; share: boolean; letters: string[] | null; shown: Window; palette: Palette; most: number },
  ): void {
    const { names, share, letters, shown, palette, most } = options;
    this.shown = shown;
    const { width } = this.box.getBoundingClientRect();
    const many = values.width > FEW;
    const drawn = letters !== null && !many;
    this.canvas.hidden = !many || letters !== null;
    this.lines.toggleAttribute("hidden", many || drawn);
    this.box.classList.toggle("many", many && !letters);
    this.box.classList.toggle("text", letters !== null);
    if (letters) this.write(letters, width);
    else this.letters.replaceChildren();
    const scheme = share ? shares(palette) : diverging(most, palette);
    if (!this.canvas.hidden) this.map(values, scheme);
    else if (!letters) this.draw(values, share ? 1 : most, share);
    write(
      this.note,
      letters ? "" : many ? `${values.width} values, ${brief(scheme.low)} to ${brief(scheme.high)}` : this.key(names, share, most),
    );
    const what = letters ? `${letters.length} characters` : `${names.slice(0, 6).join(", ")}${names.length > 6 ? " …" : ""}`;
    this.box.setAttribute("aria-label", `${this.title} along time: ${what}`);
  }

  private key(names: string[], share: boolean, most: number): string {
    const range = share ? "0 to 1" : `±${brief(most)}`;
    return `${names.length > 1 || names[0] !== this.title ? `${names.join(", ")}; ` : ""}${range}`;
  }

  private map(values: Values, scheme: Scheme): void {
    const { width, height } = this.box.getBoundingClientRect();
    if (width < 2) return;
    const sharp = Math.min(2, devicePixelRatio || 1);
    const columns = Array.from({ length: values.width }, (_, column) => column);
    paint(this.canvas, values, columns, this.shown, scheme, {
      width: Math.round(width * sharp),
      height: Math.round(height * sharp),
    });
  }

  private draw(values: Values, most: number, share: boolean): void {
    const { from, to } = this.shown;
    const [high, low] = [most, share ? 0 : -most];
    this.lines.setAttribute("viewBox", `${from} 0 ${to - from} 100`);
    const y = (value: number): number => 96 - (92 * (value - low)) / (high - low);
    const zero = makeSvg("line", { x1: from, x2: to, y1: y(0), y2: y(0), class: "zero" });
    const paths = Array.from({ length: values.width }, (_, column) => {
      let path = "";
      let pen = false;
      for (let row = 0; row < rowsOf(values); row += 1) {
        const value = values.data[row * values.width + column];
        const fits = Number.isFinite(value);
        if (fits) path += `${pen ? "L" : "M"}${(row + 0.5) * values.every} ${y(value).toFixed(2)}${pen ? "" : `l0.001 0`}`;
        pen = fits;
      }
      return makeSvg("path", { d: path, class: `line line-${column}` });
    });
    this.lines.replaceChildren(zero, ...paths);
  }

  private write(letters: string[], width: number): void {
    const { from, to } = this.shown;
    const room = width / (to - from);
    this.letters.classList.toggle("blocks", room < NARROW);
    this.letters.style.fontSize = `${Math.min(14, Math.max(9, room * 1.4))}px`;
    this.letters.replaceChildren(...(room < NARROW ? this.blocks(letters, width) : this.singles(letters)));
  }

  private singles(letters: string[]): HTMLElement[] {
    const { from, to } = this.shown;
    return letters.slice(from, to).map((letter, index) => this.at(index + from, index + from + 1, visible(letter)));
  }

  /** Where there is no room for letters: a block for each word, and as many of the words over them as have room. */
  private blocks(letters: string[], width: number): HTMLElement[] {
    const { from, to } = this.shown;
    const found: HTMLElement[] = [];
    let start = -1;
    let free = 0; // the share of the width up to which words stand
    for (let step = from; step <= to; step += 1) {
      const inside = step < to && !/^\s*$/.test(letters[step] ?? "");
      if (inside && start < 0) start = step;
      if (!inside && start >= 0) {
        const block = this.at(start, step, "");
        const word = letters.slice(start, step).join("");
        const left = placeOf(start, this.shown).left;
        const reach = left + (word.length * LETTER + LETTER) / width;
        if (left >= free && reach <= 1 + LETTER / width) {
          block.append(make("i", {}, word));
          free = reach;
        }
        found.push(block);
        start = -1;
      }
    }
    return found;
  }

  private at(from: number, to: number, text: string): HTMLElement {
    const piece = make("span", {}, text);
    const { left, width } = placeOf(from, this.shown);
    piece.style.left = `${100 * left}%`;
    piece.style.width = `${100 * width * (to - from)}%`;
    return piece;
  }

  cursor(time: number): void {
    const { left, width } = placeOf(time, this.shown);
    this.pointer.hidden = left < 0 || left >= 1;
    this.pointer.style.left = `${left * 100}%`;
    this.pointer.style.width = `max(2px, ${width * 100}%)`;
  }
}

const BEFORE = 36; // characters of the passage on each side of the cursor

/** The text around the cursor, large enough to read. */
export class Passage {
  readonly element = make("p", { class: "passage" });
  private readonly before = make("span");
  private readonly here = make("mark");
  private readonly after = make("span");

  constructor() {
    this.element.append(this.before, this.here, this.after);
  }

  show(letters: string[], time: number): void {
    const text = (from: number, to: number): string =>
      letters
        .slice(Math.max(0, from), to)
        .map((one) => (one === " " ? one : visible(one)))
        .join("");
    write(this.before, text(time - BEFORE, time));
    write(this.here, visible(letters[time] ?? ""));
    write(this.after, text(time + 1, time + 1 + BEFORE));
  }
}
