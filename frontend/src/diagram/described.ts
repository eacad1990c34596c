/** The picture in words, for those who do not see it: a list of buttons that open the arithmetic. */

import { make, write } from "../dom/elements";
import { evaluate } from "../model/program";
import type { Reading } from "../model/reading";
import { textOf } from "./nodes";
import type { Scene } from "./scene";

export interface Described {
  element: HTMLElement;
  update(reading: Reading): void;
}

/** The buttons are no stops of the Tab key, whose stops are the picture's own: who reads line by line finds them. */
export function described(scene: Scene, open: (node: string) => void): Described {
  const nodes = scene.nodes.filter((node) => node.shape === "gate" || node.shape === "port");
  const buttons = nodes.map((node) => {
    const button = make("button", { type: "button", tabindex: -1 });
    button.addEventListener("click", () => open(node.opens));
    return button;
  });
  const element = make("ul", { class: "unseen", "aria-label": "the unit's values" }, ...buttons.map((one) => make("li", {}, one)));
  const update = (reading: Reading): void => {
    nodes.forEach((node, k) => {
      const value = textOf(node, reading, evaluate(node.value, reading.read));
      write(buttons[k], `${node.name || node.symbol} (${node.symbol}): ${value}, opens the arithmetic`);
    });
  };
  return { element, update };
}
