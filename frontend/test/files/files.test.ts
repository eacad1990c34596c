/** Files that are dropped on the page: against torch and onnxruntime, which computed the fixture; and what is no such file. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { packed } from "../../src/document/pack";
import { readDocument } from "../../src/document/read";
import { contentsOf, described, documentOf } from "../../src/files/opened";
import { UnreadableFile } from "../../src/files/tensor";
import { makeModel } from "../../src/model/network";

interface Case {
  name: string;
  content: string;
  reason?: string;
  described: string[];
  left: string[];
  values: { x: number[]; y: number[] }[];
}

const cases: Case[] = JSON.parse(readFileSync(process.env["BYHAND_FIXTURE"]!, "utf8")).files;
const bytesOf = ({ content }: Case): Uint8Array => Uint8Array.from(Buffer.from(content, "base64"));

for (const one of cases.filter(({ reason }) => !reason))
  test(`${one.name}: its values`, () => {
    const contents = contentsOf(one.name, bytesOf(one));
    assert.equal(contents.stacks.length, one.described.length);
    contents.stacks.forEach((stack, k) => {
      const words = described(stack);
      assert.ok(one.described[k] === words || words.endsWith(`: ${one.described[k]}`), words);
      const { x, y } = one.values[k];
      const wide = stack.levels[0][0].input.shape[1];
      const doc = readDocument(documentOf(stack, contents, one.name, packed(x, [x.length / wide, wide])));
      const { data } = makeModel(doc).run(0, [], null).output!;
      assert.equal(data.length, y.length);
      for (let k = 0; k < y.length; k++) assert.ok(Math.abs(data[k] - y[k]) < 1e-5, `${words}[${k}]: ${data[k]}, expected ${y[k]}`);
    });
    for (const words of one.left) assert.ok(contents.left.join("; ").includes(words), contents.left.join("; "));
  });

for (const one of cases.filter(({ reason }) => reason))
  test(`${one.name}: refused`, () => {
    assert.throws(
      () => contentsOf(one.name, bytesOf(one)),
      (problem: Error) => problem instanceof UnreadableFile && problem.message.includes(one.reason!),
    );
  });

test("damaged files: opened, or one message", () => {
  let [seed, refused, opened] = [1, 0, 0];
  const random = (below: number): number => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  for (const one of cases.filter(({ content }) => content.length > 0))
    for (let turn = 0; turn < 60; turn++) {
      const bytes = bytesOf(one);
      const damaged = turn % 3 ? bytes : bytes.subarray(0, random(bytes.length));
      if (turn % 3)
        for (let k = 0; k <= turn % 4; k++) damaged[random(turn % 3 > 1 ? Math.min(bytes.length, 600) : bytes.length)] = random(256);
      try {
        const contents = contentsOf(one.name, damaged);
        for (const stack of contents.stacks) documentOf(stack, contents, one.name);
        opened += 1;
      } catch (problem) {
        assert.ok(problem instanceof UnreadableFile, `${one.name}, turn ${turn}: ${problem instanceof Error ? problem.stack : problem}`);
        refused += 1;
      }
    }
  assert.ok(refused > 300 && opened > 50, `${refused} refused, ${opened} opened`);
});
