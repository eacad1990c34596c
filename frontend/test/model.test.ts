/** The network in the page against torch: every site of every step, and derivatives by the input, with and without edits. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readDocument } from "../src/document/read";
import { names, tokens } from "../src/model/expression";
import { makeModel } from "../src/model/network";
import { evaluate } from "../src/model/program";
import { cases } from "./fixture";

const CLOSE = 1e-9;

function close(found: ArrayLike<number>, expected: number[], what: string): void {
  assert.equal(found.length, expected.length, what);
  for (let k = 0; k < expected.length; k++) {
    const off = Math.abs(found[k] - expected[k]);
    assert.ok(off <= CLOSE * Math.max(1, Math.abs(expected[k])), `${what}[${k}]: ${found[k]}, torch has ${expected[k]}`);
  }
}

for (const { name, doc, runs } of cases) {
  const model = makeModel(readDocument(doc));
  test(`${name}: every site of every step`, () => {
    for (const { item, edits, values } of runs) {
      const run = model.run(item, edits, null);
      for (const [place, sites] of Object.entries(values))
        for (const [site, expected] of Object.entries(sites)) close(run.places[place].sites[site].data, expected, `${place}.${site}`);
    }
  });
  test(`${name}: what a state listens to`, () => {
    let seen = 0;
    for (const { item, edits, input, asked } of runs) {
      if (!input) continue;
      const found = model.listens(item, edits, null, ...asked);
      assert.ok(found);
      close(found.data, input, `d ${asked.join(" ")} / d input`);
      seen += 1;
    }
    assert.ok(seen > 0);
  });
  if (/^(lstm,|cifg|peephole|rnn|no |zoneout|gru)/.test(name))
    test(`${name}: terms add up to a gate's sum`, () => {
      const [{ item, edits, asked }] = runs;
      const [place, , unit, time] = asked;
      const run = model.run(item, edits, null);
      const { gates } = model.doc.cell;
      for (const gate of gates) {
        const sum = model
          .terms(run, edits, null, place, gate, unit, time)
          .reduce((total, term) => total + (term.kind === "peephole" ? 0 : term.product), 0);
        const own = model.doc.cell.sites.some((site) => names(model.equation(site)).includes(`u.${gate}`));
        const parts = own ? [`x.${gate}`, `u.${gate}`] : [`x.${gate}`];
        const whole = parts.reduce((total, part) => total + model.value(run, edits, null, place, part, unit, time), 0);
        assert.ok(Math.abs(sum - whole) < 1e-9, `${gate}: ${sum}, the whole is ${whole}`);
      }
    });
  test(`${name}: a site's equation gives the site`, () => {
    const [{ item, asked }] = runs;
    const [place, , unit, time] = asked;
    const run = model.run(item, [], null);
    for (const site of model.doc.cell.sites) {
      const tree = model.equation(site);
      const value = evaluate(tree, (one) => model.value(run, [], null, place, one, unit, time));
      assert.ok(Math.abs(value - model.value(run, [], null, place, site, unit, time)) < 1e-9, site);
      assert.ok([...tokens(tree)].length > 0, site);
    }
  });
}
