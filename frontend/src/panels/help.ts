/** The help: what the keys do. */

import { make } from "../dom/elements";
import { iconButton } from "../dom/icons";
import { KEYS } from "./keys";

export function makeHelp(): HTMLDialogElement {
  const close = iconButton("close", "close", () => dialog.close());
  const rows = KEYS.map(([keys, what]) => {
    const caps = keys.split(" ").map((key) => (key === "…" ? key : make("kbd", {}, key)));
    return make("div", {}, make("dt", {}, ...caps), make("dd", {}, what));
  });
  const dialog: HTMLDialogElement = make(
    "dialog",
    { class: "help", "aria-label": "help" },
    make("div", { class: "row" }, make("h2", {}, "Keyboard"), close),
    make("dl", {}, ...rows),
    make(
      "p",
      { class: "soft small" },
      "Steps and units can also be clicked wherever they are drawn. Whatever has a number under it can be dragged, turned with the wheel, or typed.",
    ),
  );
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
  return dialog;
}
