/** A text that a part of the page asks to have copied; the shell hears it. */

import { make } from "./elements";
import { glyph } from "./icons";

export const COPY = "byhand-copy";

export interface Copied {
  text: string;
  what: string; // "the Python text"
}

/** A button that copies what is so at that moment. */
export function copyButton(name: string, what: string, text: () => string): HTMLButtonElement {
  const button = make("button", { type: "button", class: "outlined" }, glyph("copy"), name);
  button.addEventListener("click", () => {
    button.dispatchEvent(new CustomEvent<Copied>(COPY, { bubbles: true, detail: { text: text(), what } }));
  });
  return button;
}
