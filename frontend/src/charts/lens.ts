/** A sequence in lines, as text or as lanes of numbers, on the colours of one unit. The colours are one small picture, a pixel a cell,
 *  under the text: to show another unit only that is painted again, and the browser scrolls both. */

import { make, makeSvg } from "../dom/elements";
import type { Values } from "../model/types";
import { type Grid, lanes, symbolAt, wrap } from "../text/wrap";
import type { Scheme } from "./colours";
import { lanePaths } from "./lane_paths";
import { colourOf } from "./tint";

/** What stands in the lines: symbols, or the numbers of some features. */
export type Written = { symbols: string[]; spelt: boolean } | { input: Values; features: number[] };

const LINE = 24; // pixels of a line of text

const [LANE, TALL, FEW] = [64, 128, 3]; // of a lane of numbers, and of one where there are few

const [NARROWEST, WIDEST] = [7, 40]; // pixels of a step of numbers

export class Lens {
  readonly element = make("div", { class: "lens", role: "region", tabindex: 0 });
  private readonly page = make("div", { class: "lens-page" });
  private readonly canvas = make("canvas", { "aria-hidden": "true" });
  private readonly text = make("pre", { class: "lens-text" });
  private readonly drawing = makeSvg("svg", { class: "lens-lanes", "aria-hidden": "true" });
  private readonly mark = make("div", { class: "lens-cursor" });
  private readonly spans = make("div", { class: "lens-span", "aria-hidden": "true" });
  private readonly probe = make("span", { class: "lens-probe", "aria-hidden": "true" }, "0".repeat(100));
  private readonly widths = new Map<string, number>();
  private grid: Grid = lanes(1, 1);
  private cell = 8; // pixels
  private line = LINE;
  private pixels: ImageData | null = null;

  constructor(choose: (time: number) => void, hover: (time: number | null) => void, brush: (span: [from: number, to: number]) => void) {
    this.page.append(this.canvas, this.text, this.drawing, this.spans, this.mark, this.probe);
    this.element.append(this.page);
    let pressed: number | null = null;
    this.page.addEventListener("pointerdown", (event) => (pressed = this.under(event)));
    this.page.addEventListener("click", (event) => {
      const here = this.under(event);
      if (pressed !== null && here !== pressed) brush([Math.min(here, pressed), Math.max(here, pressed)]);
      else if (getSelection()?.isCollapsed !== false) choose(here);
      pressed = null;
    });
    this.page.addEventListener("pointermove", (event) => hover(this.under(event)));
    this.page.addEventListener("pointerleave", () => hover(null));
  }

  /** How many pixels there are for a line. */
  get room(): number {
    return this.page.clientWidth;
  }

  /** Lays out the sequence for the room there is. */
  show(written: Written): void {
    const spelt = "symbols" in written;
    this.text.hidden = !spelt;
    this.drawing.toggleAttribute("hidden", spelt);
    const room = Math.max(80, this.room);
    this.line = LINE;
    if ("symbols" in written) {
      this.cell = this.probe.getBoundingClientRect().width / 100 || 8;
      this.grid = wrap(written.symbols, Math.max(8, Math.floor(room / this.cell)), written.spelt);
      this.text.replaceChildren(...this.lines(written.symbols, written.spelt));
    } else {
      const { steps } = written.input;
      const columns = Math.max(1, Math.min(steps, Math.floor(room / NARROWEST)));
      this.cell = Math.min(WIDEST, room / columns);
      this.grid = lanes(steps, columns);
      this.line = this.grid.lines > FEW ? LANE : TALL;
      const size = { width: this.grid.columns * this.cell, height: this.grid.lines * this.line };
      for (const [name, value] of Object.entries(size)) this.drawing.setAttribute(name, String(value));
      const paths = lanePaths(written.input, written.features, this.grid, this.cell, this.line);
      this.drawing.replaceChildren(...paths.map((d, k) => makeSvg("path", { d, class: `lane-line line-${k}` })));
    }
    const { columns, lines } = this.grid;
    this.page.style.height = `${lines * this.line}px`;
    this.canvas.style.width = `${columns * this.cell}px`;
    this.canvas.style.height = `${lines * this.line}px`;
    [this.canvas.width, this.canvas.height] = [columns, lines];
    this.pixels = new ImageData(columns, lines);
  }

  /** The symbols as text, line after line; one that is not as wide as a cell gets a box of its own. */
  private lines(symbols: string[], spelt: boolean): (string | HTMLElement)[] {
    const found: (string | HTMLElement)[] = [];
    const { first, lines, cells } = this.grid;
    let plain = "";
    for (let line = 0; line < lines; line++) {
      for (let k = first[line]; k < first[line + 1]; k++) {
        const shown = SHOWN[symbols[k]] ?? symbols[k];
        if (!spelt) plain += `${shown.slice(0, cells[k] - 1)} `;
        else if (this.fits(shown)) plain += shown;
        else {
          const box = make("span", { class: "lens-odd" }, shown);
          box.style.width = `${cells[k] * this.cell}px`;
          found.push(plain, box);
          plain = "";
        }
      }
      plain += "\n";
    }
    return [...found, plain];
  }

  /** Whether a symbol is as wide as a cell in the font that draws it. */
  private fits(symbol: string): boolean {
    if (symbol.length === 1 && symbol >= " " && symbol <= "~") return true;
    let width = this.widths.get(symbol);
    if (width === undefined) {
      const brush = make("canvas").getContext("2d")!;
      brush.font = getComputedStyle(this.text).font;
      this.widths.set(symbol, (width = brush.measureText(symbol).width));
    }
    return Math.abs(width - this.cell) < 0.05;
  }

  /** Paints the values of one column; −1: they are not there, and nothing is painted. */
  colour(values: Values, column: number, scheme: Scheme): void {
    const { pixels } = this;
    if (!pixels) return;
    const words = new Uint32Array(pixels.data.buffer);
    words.fill(0);
    const { line, from, cells, columns } = this.grid;
    const { data, width, every } = values;
    for (let k = 0; column >= 0 && k < line.length; k++) {
      const colour = colourOf(scheme, data[Math.floor(k / every) * width + column]);
      const at = line[k] * columns + from[k];
      for (let cell = at; cell < at + cells[k]; cell++) words[cell] = colour;
    }
    this.canvas.getContext("2d")?.putImageData(pixels, 0, 0);
    this.canvas.dataset["drawn"] = String(column);
  }

  /** Moves the cursor; follow: scrolls to it where it is out of sight. */
  cursor(time: number, follow: boolean): void {
    const { line, from, cells } = this.grid;
    if (time >= line.length) return;
    const [left, top, width] = [from[time] * this.cell, line[time] * this.line, cells[time] * this.cell];
    Object.assign(this.mark.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${this.line}px` });
    if (!follow) return;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop || top + this.line > scrollTop + clientHeight) this.element.scrollTop = top - clientHeight / 3;
  }

  /** Underlines the steps of a span, both ends included, line by line. */
  span(span: [from: number, to: number] | null): void {
    const { line, from, cells, first, lines } = this.grid;
    const boxes: HTMLElement[] = [];
    for (let k = span ? line[span[0]] : lines; span && k <= line[span[1]]; k++) {
      const [start, end] = [Math.max(span[0], first[k]), Math.min(span[1], first[k + 1] - 1)];
      const [left, right] = [from[start] * this.cell, (from[end] + cells[end]) * this.cell];
      const box = make("i");
      Object.assign(box.style, { left: `${left}px`, top: `${k * this.line}px`, width: `${right - left}px`, height: `${this.line}px` });
      boxes.push(box);
    }
    this.spans.replaceChildren(...boxes);
  }

  private under(event: MouseEvent): number {
    const { left, top } = this.page.getBoundingClientRect();
    return symbolAt(this.grid, Math.floor((event.clientY - top) / this.line), Math.floor((event.clientX - left) / this.cell));
  }
}

const SHOWN: Record<string, string> = { "␣": " ", "": "∅" };
