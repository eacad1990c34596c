/** Prints the epochs a second of the lesson's training, as the worker runs it. */

import { readFileSync } from "node:fs";
import { usual } from "../../src/train/settings";
import { Trainer } from "../../src/train/trainer";

const { play } = JSON.parse(readFileSync(process.env.BYHAND_FIXTURE!, "utf8"));
const trainer = new Trainer(play, usual("companies", play));
const start = performance.now();
while (performance.now() - start < 1000) trainer.step();
console.log(trainer.epoch / ((performance.now() - start) / 1000));
