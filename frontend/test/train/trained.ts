/** Trains every cell on every task for two epochs, writes the files that the page would save, and prints what they should give; and
 *  draws of every task. node trained.ts FOLDER */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Source } from "../../src/train/random";
import { END, SYMBOLS, WAYS } from "../../src/train/reber";
import { pythonFor, safetensors } from "../../src/train/safetensors";
import { type TaskName, USUAL, usual } from "../../src/train/settings";
import { taskOf } from "../../src/train/tasks";
import { Trainer } from "../../src/train/trainer";

const { play } = JSON.parse(readFileSync(process.env.BYHAND_FIXTURE!, "utf8"));
const folder = process.argv[2];
const files = [];
const drawn: Record<string, unknown> = {};
for (const task of Object.keys(USUAL) as TaskName[]) {
  const settings = usual(task, play);
  const { inputs, outputs, symbols, least, draw } = taskOf(settings);
  const sequences = Array.from({ length: 200 }, (_, k) => draw(new Source(k, 5), k));
  drawn[task] = { inputs, outputs, symbols, least, length: settings.length, text: settings.text, sequences };
  for (const cell of Object.keys(play.cells)) {
    const trainer = new Trainer(play, { ...settings, cell, length: Math.min(settings.length, 10), units: Math.min(settings.units, 4) });
    trainer.step();
    trainer.step();
    const result = trainer.result();
    const name = `${task}-${cell}.safetensors`;
    writeFileSync(
      join(folder, name),
      safetensors(result.parts, result.snapshots.at(-1)!.numbers, result.settings, play.cells[cell].biases),
    );
    const { x, targets } = result.shown[0];
    const asked = targets.flatMap((target, time) => (target === null ? [] : [time]));
    files.push({
      task,
      cell,
      python: pythonFor(result.settings, name),
      x,
      asked,
      symbols,
      inputs: inputs.length,
      answers: trainer.report().answers,
    });
  }
}
console.log(JSON.stringify({ files, drawn, reber: { symbols: SYMBOLS, ways: WAYS, end: END } }));
