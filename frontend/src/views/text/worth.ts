/** The units that are worth a look, each with its whole sequence as a ribbon and the text around the cursor; a click flips to one. */

import type { Scheme } from "../../charts/colours";
import { paintRibbon } from "../../charts/ribbon";
import { cssOf, scaledTo } from "../../charts/tint";
import { make, write } from "../../dom/elements";
import { type Found, INTERESTS, type Interest, interesting } from "../../model/lens";
import type { Values } from "../../model/types";
import { columnsOf } from "../../model/values";
import type { Store } from "../../state/types";
import { figure } from "../../text/format";

const MOST = 10;

const AROUND = 11; // symbols on each side of the one under the cursor

const WIDTH = 240; // pixels of a ribbon, at most

interface Row {
  button: HTMLButtonElement;
  name: HTMLElement;
  measure: HTMLElement;
  ribbon: HTMLCanvasElement;
  mark: HTMLElement;
  around: HTMLElement;
  scheme: Scheme | null; // the colours of its unit
}

export class Worth {
  readonly element: HTMLElement;
  private readonly choice = make("select", { "aria-label": "units that" });
  private readonly says = make("p", { class: "small soft" });
  private readonly list = make("ol", { class: "worth-list" });
  private readonly rows: Row[] = [];
  private interest: Interest = "vary";
  private ranked: unknown[] = [];
  private found: Found[] = [];
  private painted: unknown[] = [];
  private frame = 0;
  private latest: [values: Values, site: string, scheme: Scheme] | null = null;

  constructor(private readonly store: Store) {
    for (const { interest, label } of INTERESTS) this.choice.append(make("option", { value: interest }, label));
    this.choice.addEventListener("change", () => {
      this.interest = this.choice.value as Interest;
      this.draw();
    });
    const head = make("header", {}, make("label", {}, make("h3", {}, "Units that "), this.choice));
    this.element = make("aside", { class: "panel worth", "aria-label": "units worth a look" }, head, this.says, this.list);
    this.element.dataset["panel"] = "units worth a look";
  }

  /** Drawn in the frame after the text: what is looked at comes first. */
  update(values: Values, site: string, scheme: Scheme): void {
    this.latest = [values, site, scheme];
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (this.element.isConnected) this.draw();
    });
  }

  private draw(): void {
    if (!this.latest) return;
    const [values, site, scheme] = this.latest;
    const { unit, time, item } = this.store.state;
    const { interest } = this;
    const ranking = [values, interest, interest === "like" && unit, interest === "here" && time];
    if (ranking.some((one, k) => one !== this.ranked[k])) {
      const column = columnsOf(values, [unit]).columns[0] ?? -1;
      this.found = interesting(values, interest, column, time, MOST);
      this.ranked = ranking;
    }
    write(this.says, INTERESTS.find((one) => one.interest === interest)?.says ?? "");
    while (this.rows.length < this.found.length) this.rows.push(this.row());
    this.list.replaceChildren(...this.rows.slice(0, this.found.length).map(({ button }) => button.parentElement!));
    const painting = [this.found, scheme];
    const anew = painting.some((one, k) => one !== this.painted[k]);
    this.painted = painting;
    const { cell, items } = this.store.model.doc;
    const { characters } = items[item];
    this.found.forEach(({ column, measure }, k) => {
      const row = this.rows[k];
      const which = values.units?.[column] ?? column;
      write(row.name, `unit ${which}`);
      write(row.measure, figure(measure));
      row.button.dataset["unit"] = String(which);
      row.button.setAttribute("aria-pressed", String(which === unit));
      if (anew) {
        row.scheme = scaledTo(scheme, cell, site, values, column);
        paintRibbon(row.ribbon, values, column, row.scheme, WIDTH);
      }
      row.mark.style.left = `${(100 * (time + 0.5)) / values.steps}%`;
      this.spell(row, values, column, characters, time);
    });
  }

  private spell({ around: line, scheme }: Row, values: Values, column: number, characters: string[] | null, time: number): void {
    line.hidden = !characters || characters.some((one, k) => k < AROUND && [...one].length > 1);
    if (!characters || line.hidden) return;
    while (line.childElementCount < 2 * AROUND + 1) line.append(make("span"));
    for (let k = 0; k <= 2 * AROUND; k++) {
      const at = time - AROUND + k;
      const cell = line.children[k] as HTMLElement;
      const inside = at >= 0 && at < characters.length;
      write(cell, inside ? (characters[at] === "␣" ? " " : characters[at]) : " ");
      const value = values.data[Math.floor(at / values.every) * values.width + column];
      cell.style.background = inside && scheme ? cssOf(scheme, value) : "";
    }
  }

  private row(): Row {
    const [name, measure] = [make("span", { class: "worth-name" }), make("span", { class: "worth-measure" })];
    const [ribbon, mark] = [make("canvas", { "aria-hidden": "true" }), make("span", { class: "worth-mark" })];
    const around = make("span", { class: "worth-around", "aria-hidden": "true" });
    const strip = make("span", { class: "worth-ribbon" }, ribbon, mark);
    const button = make("button", { type: "button" }, name, measure, strip, around);
    button.addEventListener("click", () => this.store.set({ unit: Number(button.dataset["unit"]), playing: false }));
    make("li", {}, button);
    return { button, name, measure, ribbon, mark, around, scheme: null };
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
  }
}
