/** A weight's names beside its number, while it is pointed at or has the focus; gone with Escape, and while it is being changed. */

import "./weight_tip.css";
import { make } from "../../dom/elements";

const HINT = "drag sideways, arrow keys, or type";
const ROOM = 170; // pixels below a number for its names, and for the bar at the foot of the page
const page = Math.random().toString(36).slice(2, 8); // several explorers may stand in one notebook
let made = 0;

/** The number with its names. number: a handle, whose own title would lie over them. */
export function withNames(number: HTMLElement, names: string): HTMLElement {
  const id = `byhand-names-${page}-${++made}`;
  const parts = names.split(" = ").map((name, k) => make("span", {}, k ? `= ${name}` : name)); // a line ends between names
  const tip = make("span", { class: "weight-names", role: "tooltip", id }, ...parts.flatMap((part) => [part, " "]));
  if (number.hasAttribute("title")) tip.append(make("small", {}, HINT));
  number.removeAttribute("title");
  number.setAttribute("aria-describedby", id);
  const box = make("span", { class: "named-weight" }, number, tip);
  const hide = (yes: boolean) => (): void => void box.classList.toggle("quiet", yes);
  const show = (): void => {
    box.classList.toggle("above", innerHeight - number.getBoundingClientRect().bottom < ROOM);
    hide(false)();
  };
  for (const event of ["pointerenter", "focusin"]) box.addEventListener(event, show);
  number.addEventListener("wheel", hide(true), { passive: true });
  number.addEventListener("keydown", (event) => {
    const shown = !box.classList.contains("quiet");
    hide(event.key !== "Tab" && event.key !== "Shift")();
    if (event.key === "Escape" && shown) event.stopPropagation();
  });
  return box;
}
