/** What the network does at the moment: its gates and memories over one sequence, and the gradient that comes back through it. */

import { paletteOf, schemeOf } from "../../charts/colours";
import { GradientPath } from "../../charts/gradient_path";
import { paint } from "../../charts/heatmap";
import { paintInput } from "../../charts/input_map";
import type { CellDoc } from "../../document/schema";
import { make, write } from "../../dom/elements";
import { figure } from "../../text/format";
import { inOrder, label, symbol } from "../../text/labels";
import type { Sequence, Task } from "../../train/tasks";
import type { Report } from "../../train/trainer";

const ROW = 12; // pixels of a unit, where there is room

const [LEAST, MOST] = [36, 150]; // pixels of a map

export class Pictures {
  readonly element: HTMLElement;
  private readonly maps = make("div", { class: "play-maps" });
  private readonly answer = make("p", { class: "play-answer" });
  private readonly path = new GradientPath();
  private readonly input = figureOf("input", "x", "input", "features");
  private sites = "";

  constructor() {
    const heading = make("h2", {}, "Gates and memories, units down, steps across");
    const gates = make("section", { class: "panel", "aria-label": "gates and memories" }, heading, this.answer, this.maps);
    const paths = make(
      "section",
      { class: "panel", "aria-label": "gradient" },
      make("h2", {}, "How much gradient arrives at each step"),
      make(
        "p",
        { class: "soft small" },
        "From the answers back to the first step. Where it fades, the network cannot learn what happened there.",
      ),
      this.path.element,
    );
    this.element = make("div", { class: "play-pictures" }, gates, paths);
  }

  update(report: Report, cell: CellDoc, task: Task, shown: Sequence): void {
    const sites = inOrder(cell, Object.keys(report.maps));
    if (this.sites !== sites.join()) {
      this.sites = sites.join();
      this.maps.replaceChildren(...sites.map((site) => figureOf(site, symbol(site), label(cell, site), "units")), this.input);
    }
    this.drawInput(task, shown);
    const palette = paletteOf(this.element);
    for (const [k, site] of sites.entries()) this.draw(this.maps.children[k] as HTMLElement, report, cell, site, shown, palette);
    write(this.answer, answerText(report, task, shown));
    this.path.update(report.path);
  }

  private drawInput(task: Task, { x, targets }: Sequence): void {
    const canvas = this.input.querySelector("canvas")!;
    const [steps, width] = [targets.length, task.inputs.length];
    const data = new Float64Array(steps * width);
    if (task.symbols) for (let time = 0; time < steps; time++) data[time * width + x[time]] = 1;
    else data.set(x);
    const values = { steps, width, every: 1, units: null, error: null, data };
    const height = Math.max(LEAST, Math.min(MOST, width * ROW));
    canvas.style.height = `${height}px`;
    if (canvas.clientWidth) paintInput(canvas, values, canvas.clientWidth, height);
    write(this.input.querySelector(".range")!, task.inputs.length <= 12 ? task.inputs.join(" ") : "");
  }

  private draw(
    element: HTMLElement,
    report: Report,
    cell: CellDoc,
    site: string,
    shown: Sequence,
    palette: ReturnType<typeof paletteOf>,
  ): void {
    const canvas = element.querySelector("canvas")!;
    const steps = shown.targets.length;
    const data = report.maps[site];
    const width = data.length / steps;
    if (!Number.isInteger(width) || !canvas.clientWidth) return;
    const values = { steps, width, every: 1, units: null, error: null, data };
    const scheme = schemeOf(cell, site, values, palette);
    const height = Math.max(LEAST, Math.min(MOST, width * ROW));
    canvas.style.height = `${height}px`;
    const sharp = Math.min(2, devicePixelRatio || 1);
    const columns = Array.from({ length: width }, (_, unit) => unit);
    const size = { width: Math.round(canvas.clientWidth * sharp), height: Math.round(height * sharp) };
    paint(canvas, values, columns, { from: 0, to: steps }, scheme, size);
    write(element.querySelector(".range")!, `${figure(scheme.low)} … ${figure(scheme.high)}`);
  }

  destroy(): void {
    this.path.destroy();
  }
}

function figureOf(site: string, letter: string, words: string, down: string): HTMLElement {
  const canvas = make("canvas", { role: "img", "aria-label": `${words}: ${down} down, steps across` });
  const name = make("figcaption", {}, make("b", {}, letter), make("span", { class: "soft" }, ` ${words}`));
  name.append(make("span", { class: "range soft" }));
  return make("figure", { "data-site": site }, name, canvas);
}

/** "It reads B T S …, answers …, right is …" */
function answerText({ answers }: Report, task: Task, shown: Sequence): string {
  const wide = task.outputs.length;
  const asked = shown.targets.filter((target) => target !== null);
  if (answers.length !== asked.length * wide) return "";
  if (!task.classes) return `${shown.name ?? "This sequence"}: it answers ${figure(answers[0])}, right is ${figure(asked[0])}.`;
  const best = asked.map((_, a) => {
    const own = answers.slice(a * wide, (a + 1) * wide);
    return task.outputs[own.indexOf(Math.max(...own))];
  });
  const right = asked.map((target) => task.outputs[target]);
  const read = shown.x.map((symbol) => task.inputs[symbol]);
  const join = task.every && task.outputs.every((one) => one.length === 1) ? "" : " ";
  return `It reads ${read.join("")}, answers ${best.join(join)}, right is ${right.join(join)}.`;
}
