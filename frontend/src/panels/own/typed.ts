/** A text of the reader's own, in the model's symbols; and the model, which writes on. */

import { make, write } from "../../dom/elements";
import type { View } from "../../dom/view";
import { tokens, type Unknown, written } from "../../model/alphabet";
import { given, refusal } from "../../model/own";
import { HOTTEST } from "../../state/address";
import { carried } from "../../state/own";
import type { Store } from "../../state/types";
import { count } from "../../text/format";
import { takeOver, writeOne, writes } from "./write";

const PACE = 90; // milliseconds a symbol, while the model writes on

const NAMED = 12; // unknown symbols

export function makeTyped(store: Store): View & { focus(): void } {
  const { doc } = store.model;
  const alphabet = doc.alphabet!;
  const field = make("textarea", { rows: 3, spellcheck: "false", autocapitalize: "off", "aria-label": "your own text" });
  field.placeholder = `Type or paste a text${writes(store) ? "; or let the model write on from the cursor" : ""}.`;
  const said = make("p", { class: "small", role: "status" });
  const leaveOut = make("button", { type: "button", class: "outlined" }, "Leave them out");
  const take = make("button", { type: "button", class: "outlined" }, "Take this sequence up to the cursor");
  const one = make("button", { type: "button", class: "primary", title: "w" }, "Write one");
  const on = make("button", { type: "button", class: "outlined", "aria-pressed": "false" }, "Write on");
  const heat = make("input", { type: "range", min: 0, max: HOTTEST, step: 0.05, "aria-label": "temperature" });
  const heatSaid = make("output");
  const seed = make("input", { type: "number", min: 0, step: 1, "aria-label": "seed" });
  const writing = make(
    "div",
    { class: "own-writing" },
    one,
    on,
    make("label", { class: "own-heat" }, make("span", {}, "temperature"), heat, heatSaid),
    make("label", {}, make("span", {}, "seed "), seed),
  );
  writing.hidden = !writes(store);
  const element = make(
    "div",
    { class: "own-text" },
    make("h2", {}, "Your own text: what does the model make of it?"),
    field,
    make("div", { class: "own-said" }, said, leaveOut, take),
    writing,
  );

  let seen: string | null = null; // what the store holds that the field shows, or has shown before it was changed
  let problem: string | null = null;
  let timer = 0;

  const isOwn = (): boolean => store.state.own !== null && store.state.item >= given(doc);

  /** What stands in the field is run, unless the model does not know its symbols. */
  function typed(): void {
    stop();
    const text = field.value;
    problem = refusal(doc, text);
    if (problem === null) {
      seen = text;
      const { steps } = { steps: tokens(alphabet, text).symbols.length };
      store.set({ own: text, item: doc.items.length, time: steps - 1, playing: false });
    }
    say();
  }

  function say(): void {
    const { symbols, unknown } = tokens(alphabet, field.value);
    const refused = unknown.length > 0 && alphabet.other === null;
    leaveOut.hidden = !refused;
    field.setAttribute("aria-invalid", String(refused));
    const notes = [count(symbols.length, "symbol")];
    if (unknown.length) notes.push(`${refused ? "the model has no symbol for" : "read as “other”"}: ${named(unknown)}`);
    else if (problem && symbols.length) notes.push(problem);
    if (!carried(field.value)) notes.push("too long for a link, which leaves it out");
    if (refused) notes.push("nothing runs until they are left out");
    write(said, `${notes.join("; ")}.`);
  }

  function stop(): void {
    window.clearInterval(timer);
    timer = 0;
    on.setAttribute("aria-pressed", "false");
    write(on, "Write on");
  }

  function next(): void {
    problem = writeOne(store);
    if (problem !== null) {
      stop();
      write(said, `The model stops: ${problem}.`);
    }
  }

  field.addEventListener("input", typed);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || writing.hidden) return;
    event.preventDefault();
    next();
  });
  leaveOut.addEventListener("click", () => {
    const { symbols, unknown } = tokens(alphabet, field.value);
    const out = new Set(unknown.map(({ symbol }) => symbol));
    field.value = written(
      alphabet,
      symbols.filter((symbol) => !out.has(symbol)),
    );
    typed();
    field.focus();
  });
  take.addEventListener("click", () => takeOver(store));
  one.addEventListener("click", () => {
    stop();
    next();
  });
  on.addEventListener("click", () => {
    if (timer) return stop();
    timer = window.setInterval(() => (element.isConnected && !element.closest("[hidden]") ? next() : stop()), PACE);
    on.setAttribute("aria-pressed", "true");
    write(on, "Stop");
  });
  heat.addEventListener("input", () => store.set({ temperature: Number(heat.value) }));
  seed.addEventListener("change", () => {
    store.set({ seed: Math.max(0, Math.min(2 ** 31 - 1, Math.round(Number(seed.value)) || 0)) });
    seed.value = String(store.state.seed);
  });

  const update = (): void => {
    const { own, temperature } = store.state;
    if (own !== seen) {
      seen = own;
      problem = null;
      if (field.value !== (own ?? "")) field.value = own ?? "";
      field.scrollTop = field.scrollHeight;
      say();
    }
    take.hidden = isOwn();
    if (timer && !isOwn()) stop();
    heat.value = String(temperature);
    heat.style.setProperty("--share", String(temperature / HOTTEST));
    write(heatSaid, temperature.toFixed(2));
    if (document.activeElement !== seed) seed.value = String(store.state.seed);
  };
  say();
  return { element, update, destroy: stop, focus: () => field.focus({ preventScroll: true }) };
}

/** "“é” (2, first at 14), “ü” (1, first at 30)". */
function named(unknown: Unknown[]): string {
  const words = unknown.slice(0, NAMED).map(({ symbol, first, count: many }) => `“${symbol}” (${many} ×, first at step ${first})`);
  return words.join(", ") + (unknown.length > NAMED ? ` and ${unknown.length - NAMED} more` : "");
}
