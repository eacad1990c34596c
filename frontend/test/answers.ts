/** Prints what the page answers on a document: node answers.ts FILE. For tests of Python's; see tests/support/page_in_node.py. */

import { readFileSync } from "node:fs";
import { readDocument } from "../src/document/read";
import { answerAt, lossOver } from "../src/model/answer";
import { answerLines, textOf } from "../src/model/answer_words";
import { makeModel } from "../src/model/network";

const doc = readDocument(readFileSync(process.argv[2], "utf8"));
const model = makeModel(doc);
const found = doc.items.map(({ steps }, item) => {
  const run = model.run(item, [], null);
  while (!run.done) run.advance();
  const loss = lossOver(doc, run);
  const answers = Array.from({ length: steps }, (_, time) => {
    const answer = answerAt(doc, run, time);
    return answer && { ...answer, line: textOf(answerLines(answer, null, [loss, null], "step")[0]) };
  });
  return { answers, loss };
});
process.stdout.write(JSON.stringify(found));
