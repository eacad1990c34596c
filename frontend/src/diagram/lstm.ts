/** The picture of the LSTM and of those that differ from it in a part: the long memory along the top, the gates under it. */

import type { CellDoc } from "../document/schema";
import type { Anatomy } from "../model/anatomy";
import { Canvas, NARROW, WIDE } from "./lstm_canvas";
import { gates, memories } from "./lstm_gates";
import { peepholes, telling, writing } from "./lstm_states";
import type { Scene } from "./scene";

/** The picture, in units of the SVG. */
export function lstmScene(cell: CellDoc, found: Anatomy, wide: boolean): Scene {
  const canvas = new Canvas(cell, found, wide ? WIDE : NARROW, wide);
  for (const draw of [memories, gates, writing, telling, peepholes]) draw(canvas);
  return canvas.scene;
}
