/** The one window: head, the view chosen, the list of edits, the time bar. */

import "./shell.css";
import { COPY, type Copied } from "../dom/copying";
import { make, write } from "../dom/elements";
import { glyph } from "../dom/icons";
import type { MakeView, View } from "../dom/view";
import { makeChangeList } from "../panels/changelist";
import { makeDrawer } from "../panels/drawer";
import { makeHeader } from "../panels/header";
import { makeHelp } from "../panels/help";
import { pressed } from "../panels/keys";
import { makeOpenFile } from "../panels/open_file";
import { makeOwn } from "../panels/own/own";
import { saveMenu } from "../panels/save";
import { summary } from "../panels/summary";
import { makeTimeBar } from "../panels/timebar";
import type { OwnStore } from "../state/store";
import { OWN_MODEL, type State, type ViewName } from "../state/types";
import { makeCompare } from "../views/compare/compare";
import { makeLayer } from "../views/layer/layer";
import { makeLedger } from "../views/ledger/ledger";
import { makePlay } from "../views/play/play";
import { makeStart, type StartCard } from "../views/start/start";
import { makeText } from "../views/text/text";
import { makeTour } from "../views/tour/tour";
import { makeTraining } from "../views/training/training";
import { makeUnit } from "../views/unit/unit";
import { copied, sayer } from "./toast";
import { makeWaiting } from "./waiting";

const VIEWS: Record<ViewName, MakeView> = {
  tour: makeTour,
  unit: makeUnit,
  layer: makeLayer,
  ledger: makeLedger,
  training: makeTraining,
  text: makeText,
  compare: makeCompare,
  play: makePlay,
};

const QUIET = 500; // milliseconds without a change before a screen reader announces the step
const NOTICES = 2; // more are folded into one line, so that the picture stays in sight

export interface ShellOptions {
  link: (() => string) | null; // the address to copy; null where the page has none
  start: (() => void) | null; // what to do when the start card is answered; null: there is none
  keys: EventTarget; // where keys are heard: the element in a notebook, the whole document on a page of our own
}

let count = 0;

/** Fills the element; gives what takes it away again. */
export function makeShell(root: HTMLElement, store: OwnStore, options: ShellOptions): () => void {
  const id = `byhand-${++count}`;
  const { doc } = store.model;
  const views = new Map<ViewName, View>();
  const toast = make("div", { class: "toast", role: "status" });
  const live = make("div", { class: "unseen", role: "status", "aria-live": "polite" });
  const panel = make("div", { class: "view", role: "tabpanel", id: `${id}-view`, tabindex: -1 });
  const help = makeHelp();
  const file = options.link && makeOpenFile(root);
  const say = sayer(toast);
  const copy = (text: string, what: string): void => void copied(text, what, root).then(say);

  const header = makeHeader(store, {
    id,
    enter: () => panel.focus({ preventScroll: true }),
    save: saveMenu(store, panel),
    link: options.link && (() => copied(options.link!(), "the link", root)),
    help: () => help.showModal(),
    open: file && (() => file.show()),
    say,
  });
  const drawer = makeDrawer(store);
  const changes = makeChangeList(store, copy);
  const time = makeTimeBar(store);
  const then = makeThenBar(store);
  const waiting = makeWaiting(store);
  const own = makeOwn(store, () => header.focusOwn());
  const main = make(
    options.link ? "main" : "div",
    { class: "main" },
    ...notices(doc.notices, doc.computed ? null : doc.why_not),
    then.element,
    own.element,
    panel,
  );
  const dock = make(options.link ? "footer" : "div", { class: "dock" }, changes.element, time.element);
  root.replaceChildren(header.element, main, drawer.element, dock, toast, live, help, ...(file ? [file.element] : []));
  main.addEventListener(COPY, (event) => {
    const { text, what } = (event as CustomEvent<Copied>).detail;
    copy(text, what);
  });
  const edges = measured(root, { head: header.element, dock });

  let announcement = 0;
  let card: StartCard | null = options.start && makeStart(store, (patch) => answer(patch));
  const answer = (patch: Partial<State>): void => {
    card?.destroy();
    card = null;
    options.start?.();
    store.set(patch);
    store.refresh();
  };
  let noted = "";
  const update = (): void => {
    if (card?.passed()) answer({});
    const { view, note } = store.state;
    if (note && note !== noted) say(note);
    noted = note;
    const waits = !OWN_MODEL.includes(view) && waiting.waits();
    if (!card && !waits && !views.has(view)) views.set(view, guarded(VIEWS[view], store));
    const current = waits ? waiting : (card ?? views.get(view)!);
    if (panel.firstChild !== current.element) panel.replaceChildren(current.element);
    panel.setAttribute("aria-labelledby", `${id}-tab-${view}`);
    panel.dataset.view = view;
    time.element.hidden = OWN_MODEL.includes(view);
    dock.hidden = view === "play";
    if (waits) drawer.element.hidden = true;
    for (const part of [header, then, own, changes, time, current, ...(waits ? [] : [drawer])]) part.update();
    window.clearTimeout(announcement);
    const silent = store.state.playing || card || waits;
    if (!silent) announcement = window.setTimeout(() => write(live, summary(store)), QUIET);
  };

  const look = lookAfter(root, store);
  const key = (event: Event): void => {
    if (!root.isConnected || (card && !meant(event as KeyboardEvent, () => answer({ view: "unit" })))) return;
    if (pressed(store, event as KeyboardEvent, () => help.showModal())) event.preventDefault();
  };
  const down = (): void => store.hold(true);
  const up = (): void => store.hold(false);
  options.keys.addEventListener("keydown", key);
  root.addEventListener("pointerdown", down, true);
  for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, up);
  const leave = store.subscribe(() => {
    look.update();
    update();
  });
  look.update();
  update();
  if (options.link) card?.focus();
  return () => {
    leave();
    card?.destroy();
    look.destroy();
    edges.disconnect();
    file?.destroy();
    window.clearTimeout(announcement);
    options.keys.removeEventListener("keydown", key);
    root.removeEventListener("pointerdown", down, true);
    for (const name of ["pointerup", "pointercancel"]) window.removeEventListener(name, up);
    for (const part of [header, own, changes, time, drawer, ...views.values()]) part.destroy();
    root.replaceChildren();
  };
}

/** How high head and dock are, for the style sheets: --head and --dock. */
function measured(root: HTMLElement, parts: Record<string, HTMLElement>): ResizeObserver {
  const write = (): void => {
    for (const [name, part] of Object.entries(parts)) root.style.setProperty(`--${name}`, `${part.offsetHeight}px`);
  };
  const resized = new ResizeObserver(write);
  for (const part of Object.values(parts)) resized.observe(part);
  return resized;
}

/** Whether a key means something beside the start card, which Esc closes: a view's number, or the help. */
function meant(event: KeyboardEvent, close: () => void): boolean {
  const inside = event.target instanceof Element && event.target.closest("dialog");
  if (event.key === "Escape" && !event.defaultPrevented && !inside) close();
  return /^[1-9?]$/.test(event.key);
}

/** A view that fails says so in its place, and leaves the others working. */
function guarded(makeOne: MakeView, store: OwnStore): View {
  const element = make("div", { class: "guard" });
  let view: View | null = null;
  const tried = (what: () => void): void => {
    try {
      what();
    } catch (problem) {
      view = null;
      element.replaceChildren(message("This view cannot be shown.", problem instanceof Error ? problem.message : String(problem)));
      console.error(problem);
    }
  };
  tried(() => {
    view = makeOne(store);
    element.append(view.element);
  });
  return { element, update: () => tried(() => view?.update()), destroy: () => view?.destroy() };
}

/** A friendly box in place of what cannot be shown. */
export function message(title: string, text: string): HTMLElement {
  return make("div", { class: "message panel", role: "alert" }, glyph("warn"), make("h2", {}, title), make("p", {}, text));
}

function notices(texts: string[], whyNot: string | null): HTMLElement[] {
  const all = whyNot ? [`Shown as recorded; nothing can be changed here: ${whyNot}`, ...texts] : texts;
  if (!all.length) return [];
  const list = (of: string[]) => make("ul", {}, ...of.map((text) => make("li", {}, glyph("warn"), make("span", {}, text))));
  const labelled = { class: "notices", role: "group", "aria-label": "notices" };
  if (all.length <= NOTICES) return [make("div", labelled, list(all))];
  const first = make("summary", {}, glyph("warn"), make("span", {}, `${all[0]}; and ${all.length - 1} more`));
  return [make("details", labelled, first, list(all.slice(1)))];
}

/** Says that the weights shown are those of an earlier epoch, where the view itself does not. */
function makeThenBar(store: OwnStore): View {
  const text = make("span");
  const back = make("button", { type: "button", class: "outlined" }, "Show it as trained");
  back.addEventListener("click", () => store.set({ snapshot: null }));
  const element = make("div", { class: "then-bar" }, text, back);
  const update = (): void => {
    const { snapshot, view } = store.state;
    element.hidden = snapshot === null || view === "training" || OWN_MODEL.includes(view);
    if (snapshot !== null)
      write(text, `The weights as they were after epoch ${store.model.doc.training!.epochs[snapshot].toLocaleString("en")}.`);
  };
  return { element, update, destroy: () => undefined };
}

/** Light or dark: as chosen, or as the system prefers. */
function lookAfter(root: HTMLElement, store: OwnStore): { update(): void; destroy(): void } {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const update = (): void => {
    const { theme } = store.state;
    const look = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
    if (root.dataset.look === look) return;
    root.dataset.look = look;
    if (document.body.classList.contains("byhand-page")) document.body.dataset.look = look;
  };
  const changed = (): void => store.refresh();
  dark.addEventListener("change", changed);
  return { update, destroy: () => dark.removeEventListener("change", changed) };
}
