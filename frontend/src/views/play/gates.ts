/** The gates of the cell that is trained: each learns, or is taken away, held open or shut. */

import { gateOf } from "../../charts/colours";
import type { PlayDoc } from "../../document/schema";
import { make } from "../../dom/elements";
import { inOrder, label, symbol } from "../../text/labels";
import { gatesOf, type Settings } from "../../train/settings";

const WAYS: [word: string, value: number | null][] = [
  ["learns", null],
  ["open", 1],
  ["shut", 0],
];

export function makeGates(play: PlayDoc, hold: (held: Record<string, number>) => void) {
  const rows = make("div", { class: "gate-rows" });
  const element = make(
    "section",
    { class: "panel play-gates", "aria-label": "gates" },
    make("h2", {}, "Take a gate away"),
    make(
      "p",
      { class: "soft small" },
      "Held open it is always 1, held shut always 0: the others have to do without it, now or from the start.",
    ),
    rows,
  );
  let made = "";
  const update = ({ cell, held }: Settings): void => {
    const about = play.cells[cell].cell;
    const known = gatesOf(play, cell);
    const gates = inOrder(about, about.sites).filter((site) => known.includes(site));
    if (made !== cell) {
      made = cell;
      const none = make("p", { class: "soft" }, "This cell has no gate: whatever comes in goes through the same tanh.");
      rows.replaceChildren(...(gates.length ? gates.map((site) => row(site)) : [none]));
    }
    function row(site: string): HTMLElement {
      const name = make("span", { class: "gate-name" }, make("b", {}, symbol(site)), ` ${label(about, site)}`);
      const buttons = WAYS.map(([word, value]) => {
        const text = value === null ? word : `held ${word}`;
        const button = make("button", { type: "button", class: "outlined", "data-value": String(value) }, text);
        button.setAttribute("aria-label", `${label(about, site)} ${text}`);
        button.addEventListener("click", () => {
          const others = Object.fromEntries(Object.entries(current).filter(([other]) => other !== site));
          hold(value === null ? others : { ...others, [site]: value });
        });
        return button;
      });
      const tone = gateOf(about, site) ?? "slate";
      const group = { role: "group", "aria-label": label(about, site), "data-site": site, "data-tone": tone, class: "gate-row" };
      return make("div", group, name, ...buttons);
    }
    current = held;
    for (const group of rows.querySelectorAll<HTMLElement>("[data-site]")) {
      const now = String(held[group.dataset["site"]!] ?? null);
      for (const button of group.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset["value"] === now));
    }
  };
  let current: Record<string, number> = {};
  return { element, update };
}
