/** A wide input in its port: a row of cells, as many as have room, each as strong as the largest value that it stands for. */

import { makeSvg } from "../dom/elements";
import { pooled } from "../model/pooled";
import { inputOf, type Reading } from "../model/reading";
import { valueAt } from "../model/values";
import type { SceneNode } from "./scene";

const CELL = 2.5; // width of one at least

const TALL = 9;

export function inputCells({ x, y, w, h }: SceneNode) {
  const inset = h / 3; // where the port's ends are round
  const left = x - w / 2 + inset;
  const room = w - 2 * inset;
  const group = makeSvg("g", { class: "cells", "aria-hidden": "true" });
  let cells: SVGRectElement[] = [];

  function update(reading: Reading, many: boolean): void {
    const input = many ? inputOf(reading.layer, reading.run) : null;
    group.toggleAttribute("hidden", !input);
    if (!input) return;
    const { values: few, most } = pooled(input, Math.floor(room / CELL));
    if (cells.length !== few.width) {
      const wide = room / few.width;
      cells = Array.from({ length: few.width }, (_, k) =>
        makeSvg("rect", { x: (left + k * wide).toFixed(2), y: y + 3, width: wide.toFixed(2), height: TALL }),
      );
      group.replaceChildren(...cells);
    }
    cells.forEach((cell, column) => {
      const value = valueAt(few, reading.time, column);
      cell.setAttribute("class", Number.isNaN(value) ? "nan" : value < 0 ? "below" : "");
      cell.style.fillOpacity = Number.isNaN(value) ? "1" : (Math.abs(value) / most).toFixed(2);
    });
  }

  return { group, update };
}
