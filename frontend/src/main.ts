/** The hosts: a notebook widget (anywidget), any element of any page, and a page of our own that brings its document along. */

import { BrokenDocument, readDocument } from "./document/read";
import type { Doc } from "./document/schema";
import { make } from "./dom/elements";
import { makeModel } from "./model/network";
import { makeShell, message } from "./shell/shell";
import { fragmentOf, stateOf } from "./state/address";
import { OPEN, type Opened } from "./state/opened";
import { answered, isAnswered, opening } from "./state/opening";
import { ofTheModel } from "./state/own";
import { makeStore, type OwnStore } from "./state/store";
import type { State } from "./state/types";
import { serve } from "./train/host";
import { companies } from "./views/tour/companies";

export interface MountOptions {
  state?: string; // a fragment to start from
  address?: boolean; // keep the state in the page's address: for a page that is ours alone
  onState?: (fragment: string) => void;
  onEdits?: (edits: State["edits"]) => void;
}

export interface Mounted {
  store: OwnStore | null; // null: the document is broken, and the element says so
  destroy(): void;
}

/** A byhand explorer's element carries its store, for tests and for whoever is curious in the console. */
type Host = HTMLElement & { byhand?: Mounted };

const PAUSE = 200; // milliseconds; browsers refuse an address that changes too often

/** Puts an explorer into an element. doc: a Doc, or its JSON text; null: the companies. Never throws. */
export function mount(element: HTMLElement, doc: Doc | string | null, options: MountOptions = {}): Mounted {
  // Focus may rest on it, so that keys are heard in a notebook too; JupyterLab's own keys are kept out by the attribute it gives for that.
  const root: Host = make("div", {
    class: "byhand-explorer",
    tabindex: options.address ? null : -1,
    "data-lm-suppress-shortcuts": "true",
  });
  element.replaceChildren(root);
  let mounted: Mounted;
  try {
    const nothing = isNothing(doc);
    mounted = open(root, readDocument(nothing ? companies : doc), nothing ? { ...options, state: options.state || "view=tour" } : options);
  } catch (problem) {
    root.dataset.look = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const text = problem instanceof Error ? problem.message : String(problem);
    root.replaceChildren(message("There is nothing to show.", `${text} Make the page again with byhand.explore(model, x).`));
    if (!(problem instanceof BrokenDocument)) console.error(problem);
    mounted = { store: null, destroy: () => root.remove() };
  }
  (element as Host).byhand = mounted;
  root.addEventListener(OPEN, (event) => {
    const { doc: other, fragment } = (event as CustomEvent<Opened>).detail;
    mounted.destroy();
    if (options.address && location.protocol !== "about:") history.replaceState(null, "", `#${fragment}`);
    mount(element, other, { ...options, state: fragment });
  });
  return mounted;
}

function isNothing(doc: Doc | string | null): boolean {
  return doc === null || (typeof doc === "string" && ["", "null"].includes(doc.trim()));
}

function open(root: HTMLElement, doc: Doc, options: MountOptions): Mounted {
  const addressed = options.address && location.protocol !== "about:"; // a frame whose page stands in another has no address
  const first = (addressed && location.hash) || (options.state ?? "");
  const model = makeModel(doc);
  const isNew = !first && !doc.play?.first && !isAnswered(doc);
  const store = makeStore(model, first ? stateOf(doc, first) : opening(model));
  const keys = options.address ? document : root;
  const link = addressed ? (): string => `${location.href.split("#")[0]}#${fragmentOf(doc, store.state)}` : null;
  store.run(); // a document that cannot be run is found out here, before anything is drawn
  const onStart = (): void => {
    answered(doc);
    written = ""; // what was chosen goes into the address, though nothing may have changed
  };
  const close = makeShell(root, store, { link, keys, start: isNew ? onStart : null });

  let { edits } = store.state;
  let written = fragmentOf(doc, store.state);
  let address = location.hash; // as last read or written here: another is news, of which the event is on its way
  let timer = 0;
  const remember = (): void => {
    timer = 0;
    const fragment = fragmentOf(doc, store.state);
    if (fragment === written) return;
    if (addressed && location.hash !== address) return;
    written = fragment;
    if (addressed) {
      history.replaceState(null, "", `#${fragment}`);
      address = location.hash;
    }
    options.onState?.(fragment);
  };
  const leave = store.subscribe(() => {
    if (store.state.edits !== edits) options.onEdits?.(ofTheModel(doc, (edits = store.state.edits)));
    timer ||= window.setTimeout(remember, PAUSE);
  });
  const changed = (): void => {
    address = location.hash;
    if (address.slice(1) !== fragmentOf(doc, store.state)) store.set(stateOf(doc, address));
  };
  if (addressed) window.addEventListener("hashchange", changed);
  const destroy = (): void => {
    leave();
    window.clearTimeout(timer);
    window.removeEventListener("hashchange", changed);
    close();
    root.remove();
  };
  return { store, destroy };
}

/** What anywidget hands over; traits `document` (JSON), `state` (a fragment, both ways), `edits` (JSON, from here to Python), `kept`
 *  (the name of what the notebook keeps for when there is no widget, in an output of its own). */
interface WidgetModel {
  get(name: "document" | "state" | "edits" | "kept"): string;
  set(name: "state" | "edits", value: string): void;
  save_changes(): void;
  on(name: string, listener: () => void): void;
  off(name: string, listener: () => void): void;
}

function render({ model, el }: { model: WidgetModel; el: HTMLElement }): () => void {
  let mounted: Mounted | null = null;
  let own = "";
  const tell = (name: "state" | "edits", value: string): void => {
    if (name === "state") own = value;
    model.set(name, value);
    model.save_changes();
  };
  const show = (): void => {
    mounted?.destroy();
    mounted = mount(el, model.get("document"), {
      state: model.get("state"),
      onState: (fragment) => tell("state", fragment),
      onEdits: (edits) => tell("edits", JSON.stringify(edits)),
    });
    const edits = mounted.store ? ofTheModel(mounted.store.model.doc, mounted.store.state.edits) : [];
    if (edits.length) tell("edits", JSON.stringify(edits));
  };
  const hide = (): void => {
    const name = model.get("kept");
    for (const one of document.querySelectorAll<HTMLElement>("[data-byhand-kept]"))
      if (name && one.dataset.byhandKept === name) one.style.display = "none"; // hidden would lose to its own style
  };
  const follow = (): void => {
    const store = mounted?.store;
    if (store && model.get("state") !== own) store.set(stateOf(store.model.doc, model.get("state")));
  };
  show();
  hide();
  model.on("change:kept", hide);
  model.on("change:document", show);
  model.on("change:state", follow);
  return () => {
    model.off("change:kept", hide);
    model.off("change:document", show);
    model.off("change:state", follow);
    mounted?.destroy();
  };
}

/** A page of our own: the document stands in it as JSON. */
function startPage(): void {
  const data = document.getElementById("byhand-document");
  if (!(data instanceof HTMLScriptElement) || data.dataset.started) return;
  data.dataset.started = "yes";
  document.body.classList.add("byhand-page");
  const element = make("div", { id: "byhand-explorer" });
  document.body.append(element);
  mount(element, data.textContent, { address: true });
}

if ("DedicatedWorkerGlobalScope" in globalThis) serve(globalThis as unknown as Parameters<typeof serve>[0]);
else if (typeof document !== "undefined") {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", startPage);
  else startPage();
}

export default { render };
