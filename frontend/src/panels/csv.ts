/** The current values as CSV, in full: one unit with its inputs, or every unit of the layer. */

import { outputName } from "../model/answer";
import type { Values } from "../model/types";
import { errorAt, holds, valueAt } from "../model/values";
import type { Store } from "../state/types";
import { feature, inOrder } from "../text/labels";

/** Quoted where it must be; a text that a spreadsheet would run as a formula is made harmless. */
export function field(value: string | number): string {
  if (typeof value === "number") return Number.isNaN(value) ? "NaN" : String(value);
  const text = value.length > 1 && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Empty where the unit was left out of the file. */
const cell = (values: Values, time: number, unit: number): string | number =>
  holds(values, unit) ? known(valueAt(values, time, unit), errorAt(values, unit)) : "";

/** The number with no digit of which nothing is known. */
export function known(value: number, error: number): number {
  if (error > 0) return Number(value.toFixed(Math.max(0, Math.min(20, Math.floor(-Math.log10(2 * error))))));
  if (value !== Math.fround(value)) return value;
  for (let digits = 6; digits < 10; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short; // what was a float32 has no more digits than this
  }
  return value;
}

const lines = (rows: (string | number)[][]): string => `${rows.map((row) => row.map(field).join(",")).join("\r\n")}\r\n`;

/** A row for each step: the inputs, all sites of the chosen unit, the outputs. */
export function unitCsv(store: Store): string {
  const { state, model } = store;
  const run = store.run();
  const sites = run.places[state.place]?.sites ?? {};
  const letters = model.doc.items[state.item]?.characters;
  const columns: [name: string, value: (time: number) => string | number][] = [
    ["step", (time) => time],
    ...(letters ? [["character", (time: number) => letters[time] ?? ""] as [string, (time: number) => string]] : []),
    ...columnsOf(run.input, (index) => feature(model.doc, index)),
    ...inOrder(model.doc.cell, Object.keys(sites)).map((site): [string, (time: number) => string | number] => [
      site,
      (time) => cell(sites[site], time, state.unit),
    ]),
    ...(run.head ? columnsOf(run.head, (index) => outputName(model.doc, index)) : []),
  ];
  const rows = Array.from({ length: run.steps }, (_, time) => columns.map(([, value]) => value(time)));
  return lines([columns.map(([name]) => name), ...rows]);
}

function columnsOf(values: Values, name: (index: number) => string): [string, (time: number) => number][] {
  return Array.from({ length: values.width }, (_, index) => [
    name(index),
    (time) => known(valueAt(values, time, index), errorAt(values, index)),
  ]);
}

/** A row for each step and unit, a column for each site. */
export function layerCsv(store: Store): string {
  const { state } = store;
  const run = store.run();
  const sites = run.places[state.place]?.sites ?? {};
  const names = inOrder(store.model.doc.cell, Object.keys(sites));
  const units = [
    ...new Set(names.flatMap((site) => sites[site].units ?? Array.from({ length: sites[site].width }, (_, unit) => unit))),
  ].sort((a, b) => a - b);
  const every = Math.min(...names.map((site) => sites[site].every));
  const rows: (string | number)[][] = [["step", "unit", ...names]];
  for (let time = 0; time < run.steps; time += every)
    for (const unit of units) rows.push([time, unit, ...names.map((site) => cell(sites[site], time, unit))]);
  return lines(rows);
}
