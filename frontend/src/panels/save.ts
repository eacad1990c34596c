/** The menu that saves: any panel as SVG or PNG, the view as a film of its steps, values as CSV. All of it is made in the page. */

import "./save.css";
import { make, write } from "../dom/elements";
import { dotsOf, pictureOf } from "../dom/picture";
import type { Store } from "../state/types";
import { layerCsv, unitCsv } from "./csv";
import { type FilmKind, film } from "./film";

/** panel: the view that is shown. Parts of it with the attribute data-panel="NAME" can be saved on their own. */
export function saveMenu(store: Store, panel: HTMLElement | (() => HTMLElement)): HTMLElement {
  const button = make("button", { type: "button", class: "save-button", "aria-expanded": "false", "aria-haspopup": "true" }, "Save");
  const list = make("div", { class: "save-list", hidden: true, role: "group", "aria-label": "save" });
  const said = make("p", { class: "small", role: "status" });
  const element = make("div", { class: "save-menu" }, button, list);
  const view = (): HTMLElement => (typeof panel === "function" ? panel() : panel);

  function open(): void {
    const parts = [...view().querySelectorAll<HTMLElement>("[data-panel]")].filter(
      (one) => one.offsetParent !== null && !one.closest("[hidden]"),
    );
    const rows = [row("this view", view()), ...parts.map((part) => row(part.dataset["panel"] ?? "", part))];
    const values = [
      entry("values of this unit, CSV", () => keep(unitCsv(store), fileName(store, `unit-${store.state.unit}`, "csv"))),
      entry("values of this layer, CSV", () => keep(layerCsv(store), fileName(store, "layer", "csv"))),
    ];
    const films = make("div", { class: "save-row" }, make("span", {}, "film of this view"), filmed("gif", "GIF"), filmed("webm", "WebM"));
    list.replaceChildren(make("div", { class: "save-panels" }, ...rows, films), make("div", { class: "save-values" }, ...values), said);
    write(said, "");
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    list.querySelector("button")?.focus();
    document.addEventListener("pointerdown", outside);
  }

  function close(): void {
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside);
  }

  function outside(event: Event): void {
    if (!element.contains(event.target as Node)) close();
  }

  function row(name: string, part: HTMLElement): HTMLElement {
    const svg = entry("SVG", () => keep(pictureOf(part).svg, fileName(store, name, "svg")));
    const png = entry("PNG", async () => keep(await dotsOf(pictureOf(part)), fileName(store, name, "png")));
    svg.setAttribute("aria-label", `${name} as SVG`);
    png.setAttribute("aria-label", `${name} as PNG`);
    return make("div", { class: "save-row" }, make("span", {}, name), svg, png);
  }

  function filmed(kind: FilmKind, label: string): HTMLButtonElement {
    const button = entry(label, async () => {
      const made = await film(store, view, kind, {
        progress: (done, all) => write(said, `Step ${done} of ${all}; Esc stops it`),
        stopped: () => Boolean(list.hidden),
      });
      if (!made) throw new Error("it was stopped");
      return keep(made, fileName(store, `${store.state.view} film`, kind));
    });
    button.setAttribute("aria-label", `film of this view as ${label}`);
    return button;
  }

  function entry(label: string, action: () => string | Promise<string>): HTMLButtonElement {
    const one = make("button", { type: "button" }, label);
    one.addEventListener("click", async () => {
      try {
        write(said, `Saved ${await action()}`);
      } catch (problem) {
        write(said, `Not saved: ${problem instanceof Error ? problem.message : String(problem)}`);
      }
    });
    return one;
  }

  button.addEventListener("click", () => (list.hidden ? open() : close()));
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || list.hidden) return;
    event.stopPropagation();
    close();
    button.focus();
  });
  return element;
}

/** "byhand-TITLE-LAYER-NAME.EXTENSION", in letters that every file system takes. */
function fileName({ model, state }: Store, name: string, extension: string): string {
  const slug = (text: string): string =>
    text
      .normalize("NFKD")
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 40);
  const parts = ["byhand", model.doc.title, state.place, name, `step ${state.time}`].map(slug).filter(Boolean);
  return `${[...new Set(parts)].join("-")}.${extension}`;
}

const TYPES: Record<string, string> = { svg: "image/svg+xml", png: "image/png", csv: "text/csv" };

/** Hands the file to the browser to be saved. */
function keep(content: string | Blob, name: string): string {
  const blob = typeof content === "string" ? new Blob([content], { type: `${TYPES[name.split(".").pop() ?? ""]};charset=utf-8` }) : content;
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  return name;
}
