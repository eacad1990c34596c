/** Models and what torch computes of them: frontend/test/fixture.json, written by tests/support/page_models.py. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Edit } from "../src/model/types";

export interface Case {
  name: string;
  doc: unknown;
  runs: {
    item: number;
    edits: Edit[];
    values: Record<string, Record<string, number[]>>;
    input: number[] | null;
    asked: [string, string, number, number];
  }[];
}

/** A model that answers, and what torch computes: of each answer its outputs, what it should be, and its loss; null: nothing is asked. */
export interface AnswerCase {
  name: string;
  where: "every" | "last" | "ends";
  kind: "class" | "numbers";
  doc: unknown;
  runs: {
    item: number;
    edits: Edit[];
    outputs: number[][];
    right: (number | null)[][];
    losses: (number | null)[];
    loss: number | null;
  }[];
}

/** What explain.find_units and explain.match give for the values of a layer, site -> sequence -> steps × units. */
export interface FindingCase {
  values: Record<string, number[][]>;
  characters?: string[][];
  marked?: number[][];
  numbers?: number[][];
  period?: number;
  rows: [site: string, unit: number, track: string, chosen: number, score: number | null, auc: number | null, p: number | null][];
  left_out: string[];
  shifts: number;
  steps: [number, number];
  matches: {
    item: number;
    steps: [number, number];
    site: string;
    threshold: number;
    units: number[];
    places: [item: number, steps: [number, number], units: number[], others: number][];
  }[];
}

const path = process.env.BYHAND_FIXTURE ?? fileURLToPath(new URL("fixture.json", import.meta.url));

export const { cases, answers, finding }: { cases: Case[]; answers: AnswerCase[]; finding: FindingCase[] } = JSON.parse(
  readFileSync(path, "utf8"),
);
