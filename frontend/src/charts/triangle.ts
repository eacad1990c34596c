/** The picture of a ledger: written at (across) x read at (down), and under it what is left at the step that is read. */

import { make, makeSvg, write } from "../dom/elements";
import { type Balance, type Ledger, triangle } from "../model/ledger";
import { brief, figure, visible } from "../text/format";
import { type Figure, showFigures } from "./cell_labels";
import { diverging, type Palette, packed, type Scheme } from "./colours";
import { ticks } from "./scale";

const SIDE = 500; // cells a side that are drawn separately

export interface TriangleEvents {
  read(time: number): void;
  describe(read: number, written: number): string;
}

export class Triangle {
  readonly element = make("div", { class: "triangle" });
  private readonly box = make("div", { class: "triangle-box", role: "application", tabindex: 0 });
  private readonly canvas = make("canvas", { role: "img" });
  private readonly numbers = make("div", { class: "figures", "aria-hidden": "true" });
  private readonly row = make("div", { class: "cursor unit" });
  private readonly column = make("div", { class: "cursor time faint", hidden: true });
  private readonly across = make("div", { class: "triangle-across", "aria-hidden": "true" });
  private readonly down = make("div", { class: "triangle-down", "aria-hidden": "true" });
  private readonly said = make("p", { class: "triangle-said", "aria-live": "polite" });
  private readonly bars = makeSvg("svg", { class: "triangle-bars", preserveAspectRatio: "none", role: "img" });
  private readonly low = make("span");
  private readonly high = make("span");
  private readonly legendBar = make("span", { class: "legend-bar" });
  private readonly sizes: ResizeObserver;
  private steps = 1;
  private time = 0;
  private written = 0;
  private letters: string[] | null = null;
  private most = 1;
  private write: () => void = () => undefined;

  constructor(private readonly events: TriangleEvents) {
    const legend = make(
      "div",
      { class: "legend", "aria-hidden": "true" },
      this.low,
      this.legendBar,
      this.high,
      make("span", { class: "legend-words" }, "left of what was written"),
    );
    this.box.append(this.canvas, this.numbers, this.row, this.column);
    this.element.append(
      legend,
      make("div", { class: "axis-title down" }, "read at"),
      this.down,
      this.box,
      this.across,
      make("div", { class: "axis-title across" }, "written at"),
      this.bars,
      this.said,
    );
    this.box.addEventListener("pointermove", (event) => this.point(event, false));
    this.box.addEventListener("pointerdown", (event) => this.point(event, true));
    this.box.addEventListener("pointerleave", () => this.leave());
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.sizes = new ResizeObserver(() => this.axes());
    this.sizes.observe(this.box);
  }

  show(ledger: Ledger, letters: string[] | null, palette: Palette): void {
    [this.steps, this.letters] = [ledger.steps, letters];
    const { size, cells, errors, largest } = triangle(ledger, SIDE);
    this.most = largest || 1;
    const scheme = diverging(this.most, palette);
    this.write = () => {
      const shown = { width: this.box.clientWidth, height: this.box.clientHeight };
      const figures = (): Figure[] =>
        Array.from(cells, (value, at) => ({ value, error: errors?.[at] ?? 0, column: at % size, row: Math.floor(at / size) })).filter(
          ({ column, row }) => (ledger.reverse ? column >= row : column <= row),
        );
      showFigures(this.numbers, { columns: ledger.steps, rows: ledger.steps }, shown, scheme, figures);
    };
    fill(this.canvas, size, cells, scheme, ledger.reverse);
    write(this.low, brief(-this.most));
    write(this.high, brief(this.most));
    this.legendBar.style.background = `linear-gradient(to right, ${scheme.colours.join(", ")})`;
    this.canvas.setAttribute(
      "aria-label",
      `Ledger of ${ledger.steps} steps: read at, down, by written at, across; from ${brief(-this.most)} to ${brief(this.most)}`,
    );
    this.box.setAttribute("aria-label", "Ledger. Up and down choose the step that is read, left and right the step that was written.");
    this.axes();
  }

  /** The step that is read, and what is in the memory there. */
  read(time: number, balance: Balance): void {
    this.time = time;
    this.row.style.top = `${(100 * time) / this.steps}%`;
    this.row.style.height = `max(2px, ${100 / this.steps}%)`;
    this.draw(balance);
  }

  private draw({ entries, memory, memoryError }: Balance): void {
    this.bars.setAttribute("viewBox", `0 -1 ${this.steps} 2`);
    this.bars.setAttribute(
      "aria-label",
      `What is left at step ${this.time} of each step before; they sum to ${figure(memory, memoryError)}`,
    );
    let [plus, minus] = ["", ""];
    for (const { time, left } of entries) {
      if (!Number.isFinite(left) || left === 0) continue;
      const bar = `M${time + 0.08} 0V${(-left / this.most).toFixed(4)}H${time + 0.92}V0Z`;
      if (left > 0) plus += bar;
      else minus += bar;
    }
    const zero = makeSvg("line", { class: "zero", x1: 0, x2: this.steps, y1: 0, y2: 0 });
    this.bars.replaceChildren(makeSvg("path", { class: "plus", d: plus }), makeSvg("path", { class: "minus", d: minus }), zero);
  }

  private axes(): void {
    const room = this.box.clientWidth || 300;
    const [across, down] = [this.marks(room, this.letters ? 11 : 44), this.marks(this.box.clientHeight || 300, this.letters ? 15 : 32)];
    this.write();
    this.across.replaceChildren(...across.map(([text, share]) => placed(text, "left", share)));
    this.down.replaceChildren(...down.map(([text, share]) => placed(text, "top", share)));
  }

  /** Characters where each of them has room, else numbers of steps. */
  private marks(room: number, each: number): [text: string, share: number][] {
    const share = (time: number): number => (time + 0.5) / this.steps;
    if (this.letters && room / this.steps >= each) return this.letters.map((letter, time) => [visible(letter), share(time)]);
    const wanted = Math.max(1, Math.min(8, Math.floor(room / 44), this.steps));
    const steps = new Set(ticks(0, this.steps - 1, wanted).map(Math.round));
    return [...steps].filter((step) => step >= 0 && step < this.steps).map((step) => [String(step), share(step)]);
  }

  private point(event: PointerEvent, choose: boolean): void {
    const { left, top, width, height } = this.box.getBoundingClientRect();
    const at = (share: number): number => Math.max(0, Math.min(this.steps - 1, Math.floor(share * this.steps)));
    const read = at((event.clientY - top) / height);
    this.tell(read, at((event.clientX - left) / width));
    if (choose) this.events.read(read);
  }

  private tell(read: number, written: number): void {
    this.written = written;
    this.column.hidden = false;
    this.column.style.left = `${(100 * written) / this.steps}%`;
    this.column.style.width = `max(2px, ${100 / this.steps}%)`;
    write(this.said, this.events.describe(read, written));
  }

  private leave(): void {
    this.column.hidden = true;
    write(this.said, "");
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    const within = (step: number): number => Math.max(0, Math.min(this.steps - 1, step));
    const far = event.shiftKey ? 10 : 1;
    const read = within(this.time + move[0] * far);
    if (move[0]) this.events.read(read);
    this.tell(read, within(this.written + move[1] * far));
  }

  destroy(): void {
    this.sizes.disconnect();
  }
}

/** Each cell some pixels a side, so that NaN can be hatched; what cannot have been written yet stays clear. */
function fill(canvas: HTMLCanvasElement, size: number, cells: Float64Array, scheme: Scheme, reverse: boolean): void {
  const side = Math.max(1, Math.floor(SIDE / size));
  canvas.width = canvas.height = size * side;
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  const scale = 255 / (scheme.high - scheme.low);
  const hatch = [packed([128, 128, 128]), scheme.table[128]];
  for (let y = 0; y < canvas.height; y += 1) {
    const read = Math.floor(y / side);
    for (let written = reverse ? read : 0; written < (reverse ? size : read + 1); written += 1) {
      const value = cells[read * size + written];
      const colour = scheme.table[Math.max(0, Math.min(255, Math.round((value - scheme.low) * scale)))];
      for (let x = written * side; x < (written + 1) * side; x += 1)
        pixels[y * canvas.width + x] = Number.isNaN(value) ? hatch[(x + y) % 6 < 3 ? 0 : 1] : colour;
    }
  }
  context.putImageData(image, 0, 0);
}

function placed(text: string, side: "left" | "top", share: number): HTMLElement {
  const mark = make("span", {}, text);
  mark.style[side] = `${100 * share}%`;
  return mark;
}
