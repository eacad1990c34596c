/** The end of a class: a name or number in, a code for the teacher out. */

import { make, write } from "../../dom/elements";
import { iconButton } from "../../dom/icons";
import { codeOf, plain } from "../../state/code";

export function finish(): HTMLDialogElement {
  const name = make("input", { type: "text", autocomplete: "off", maxlength: 80, autofocus: true });
  const code = make("output", { class: "tour-code", "aria-live": "polite" });
  const close = iconButton("close", "close", () => dialog.close());
  const show = (): void => write(code, plain(name.value) ? codeOf(name.value, new Date()) : "");
  name.addEventListener("input", show);
  const dialog = make(
    "dialog",
    { class: "help finish", "aria-label": "the code" },
    make("div", { class: "row" }, make("h2", {}, "All ten stages solved"), close),
    make("label", {}, make("span", {}, "Your name or number, as your teacher knows it"), name),
    make("p", { class: "tour-code-row" }, make("span", {}, "Your code: "), code),
    make(
      "p",
      { class: "soft small" },
      "Give your teacher the name and the code. The code says that all tasks were solved in a browser by today; who solved them it cannot say.",
    ),
  );
  return dialog;
}
