/** From a value to a colour: one table of 256 colours per kind of site, made for the background it stands on. */

import type { CellDoc } from "../document/schema";
import type { Values } from "../model/types";

export type Range = CellDoc["ranges"][string];

export type Colour = readonly [number, number, number];

/** The colours of the theme that is on (theme.css). zero: what 0 is drawn in. */
export type Palette = Record<"f" | "i" | "g" | "o" | "brown" | "teal" | "zero" | "slate" | "ink" | "ink-soft", Colour>;

type Gate = "f" | "i" | "g" | "o";

const WORDS: [RegExp, Gate][] = [
  [/forget|update/i, "f"],
  [/candidate/i, "g"],
  [/input/i, "i"],
  [/output/i, "o"],
];

/** How one site is drawn: its colours and the values that they stand for. */
export interface Scheme {
  table: Uint32Array; // 256 colours, as ImageData holds them
  low: number;
  high: number;
  colours: string[]; // from low to high, for a legend
  swatch: string;
  beyond: number | null; // the largest size there is, where a few values lie outside low and high
}

/** The colour family of a gate, by its letter or by the word for it; none for a memory. */
export function gateOf(cell: CellDoc, site: string): Gate | "slate" | null {
  const range = cell.ranges[site] ?? "free";
  if (cell.state.includes(site) && !cell.gates.includes(site)) return null; // a memory
  if (/^[figo]$/.test(site) && (cell.gates.includes(site) || range !== "free")) return site as Gate;
  if (range === "free") return null;
  const word = WORDS.find(([pattern]) => pattern.test(cell.labels[site] ?? ""));
  return word ? word[1] : range === "share" ? "slate" : null;
}

/** values: those drawn; they set the range of a site that has none of its own. */
export function schemeOf(cell: CellDoc, site: string, values: Values | null, palette: Palette): Scheme {
  const gate = gateOf(cell, site);
  const range = cell.ranges[site] ?? "free";
  const { usual, whole } = reachOf(values);
  const beyond = whole > usual ? whole : null;
  if (gate === null) return { ...diverging(usual, palette), beyond };
  const colour = palette[gate];
  if (range === "share") return scheme([palette.zero, colour], 0, 1, colour);
  const stops = [palette.slate, palette.zero, colour];
  return range === "signed" ? scheme(stops, -1, 1, colour) : { ...scheme(stops, -usual, usual, colour), beyond };
}

/** Brown, the colour of zero, teal: symmetric about 0. */
export function diverging(most: number, { brown, zero, teal }: Palette): Scheme {
  return scheme([brown, zero, teal], -most, most, teal);
}

export function shares(palette: Palette): Scheme {
  return sizes(1, palette);
}

/** From 0 up to the largest. */
export function sizes(most: number, palette: Palette): Scheme {
  return scheme([palette.zero, palette["ink-soft"]], 0, most, palette["ink-soft"]);
}

/** The largest size among the finite values, rounded up to two digits; 1 where all is 0. */
export function largest(values: Values | null): number {
  let most = 0;
  for (const value of values?.data ?? []) {
    const size = value < 0 ? -value : value;
    if (size > most && size < Infinity) most = size;
  }
  return rounded(most);
}

function rounded(most: number): number {
  if (most === 0) return 1;
  const unit = 10 ** (Math.floor(Math.log10(most)) - 1);
  return Number((Math.ceil(most / unit - 1e-9) * unit).toPrecision(2));
}

const SAMPLE = 20_000;

const USUAL = 0.98;

interface Reach {
  usual: number;
  whole: number;
}

const reaches = new WeakMap<Values, Reach>();

/** The size that 98 of 100 values keep within, where the largest is more than twice that: one runaway unit must not pale the rest. */
function reachOf(values: Values | null): Reach {
  if (!values) return { usual: 1, whole: 1 };
  let found = reaches.get(values);
  if (!found) reaches.set(values, (found = measured(values)));
  return found;
}

function measured(values: Values): Reach {
  const whole = largest(values);
  const every = Math.ceil(values.data.length / SAMPLE);
  const sizes = new Float64Array(Math.floor(values.data.length / every)).map((_, index) => Math.abs(values.data[index * every]));
  const finite = sizes.filter(Number.isFinite).sort();
  const within = finite[Math.floor(USUAL * (finite.length - 1))] ?? 0;
  return { whole, usual: within > 0 && whole > 2 * within ? rounded(within) : whole };
}

function scheme(stops: Colour[], low: number, high: number, swatch: Colour): Scheme {
  const table = new Uint32Array(256);
  for (let index = 0; index < 256; index += 1) table[index] = packed(mixed(stops, index / 255));
  return { table, low, high, colours: stops.map(css), swatch: css(swatch), beyond: null };
}

function mixed(stops: Colour[], share: number): Colour {
  const along = share * (stops.length - 1);
  const first = Math.min(Math.floor(along), stops.length - 2);
  const [a, b] = [stops[first], stops[first + 1]];
  const part = along - first;
  return [a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part, a[2] + (b[2] - a[2]) * part];
}

/** As a little-endian word: alpha, blue, green, red. */
export function packed([red, green, blue]: Colour): number {
  return ((255 << 24) | (Math.round(blue) << 16) | (Math.round(green) << 8) | Math.round(red)) >>> 0;
}

export function css([red, green, blue]: Colour): string {
  return `rgb(${Math.round(red)}, ${Math.round(green)}, ${Math.round(blue)})`;
}

/** "light" or "dark", as the page around the element shows itself. */
export function lookOf(element: Element): string {
  return element.closest("[data-look]")?.getAttribute("data-look") ?? "light";
}

export function paletteOf(element: Element): Palette {
  const style = getComputedStyle(element);
  const names = ["f", "i", "g", "o", "brown", "teal", "zero", "slate", "ink", "ink-soft"] as const;
  return Object.fromEntries(names.map((name) => [name, colourFrom(style.getPropertyValue(`--${name}`))])) as Palette;
}

/** "#8c510a" in numbers; grey if it is anything else. */
function colourFrom(text: string): Colour {
  const digits = text.trim().match(/^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i);
  return digits ? [parseInt(digits[1], 16), parseInt(digits[2], 16), parseInt(digits[3], 16)] : [128, 128, 128];
}
