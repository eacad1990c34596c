/** Colours that text can stand on: those of a site, as far towards the colour of zero as the ink needs to be read. */

import type { CellDoc } from "../document/schema";
import { momentsOf } from "../model/lens";
import type { Values } from "../model/types";
import { type Colour, css, type Palette, packed, type Scheme } from "./colours";

const READABLE = 4.5; // contrast, WCAG 2 AA

/** Relative luminance, WCAG 2. */
function luminance(colour: Colour): number {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export function contrast(one: Colour, other: Colour): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function between(from: Colour, to: Colour, share: number): Colour {
  return [0, 1, 2].map((part) => from[part] + (to[part] - from[part]) * share) as unknown as Colour;
}

/** The colour itself, or the one between zero and it that is farthest from zero and can still be written on. */
function readable(colour: Colour, { zero, ink }: Palette): Colour {
  let share = 1;
  while (share > 0 && contrast(between(zero, colour, share), ink) < READABLE) share -= 0.02;
  return between(zero, colour, Math.max(0, share));
}

/** The scheme with colours that ink can be read on, all made paler alike on each side of zero, so that they keep their order. */
export function tinted(scheme: Scheme, palette: Palette): Scheme {
  const stops = scheme.low < 0 ? [0, 128, 255] : [0, 255];
  const colours = stops.map((at) => readable(unpacked(scheme.table[at]), palette));
  const table = new Uint32Array(256);
  for (let index = 0; index < 256; index++) {
    const along = (index / 255) * (colours.length - 1);
    const first = Math.min(Math.floor(along), colours.length - 2);
    table[index] = packed(between(colours[first], colours[first + 1], along - first));
  }
  return { ...scheme, table, colours: colours.map(css) };
}

function unpacked(word: number): Colour {
  return [word & 255, (word >> 8) & 255, (word >> 16) & 255];
}

/** The scheme of one column: a site without a range of its own is scaled to what that unit does, not to what the whole layer does. */
export function scaledTo(scheme: Scheme, cell: CellDoc, site: string, values: Values, column: number): Scheme {
  if ((cell.ranges[site] ?? "free") !== "free" || column < 0) return scheme;
  const { mean, deviation } = momentsOf(values);
  let most = 0;
  for (let k = column; k < values.data.length; k += values.width) most = Math.max(most, Math.abs(values.data[k]) || 0);
  const usual = Math.abs(mean[column]) + 3 * deviation[column]; // one runaway step must not pale the rest
  const reach = Math.min(most, usual >= 0 ? usual : most) || 1;
  return { ...scheme, low: -reach, high: reach, beyond: most > 1.001 * reach ? most : null };
}

/** The colour of a value, as ImageData holds it; grey for what is not a number. */
export function colourOf({ table, low, high }: Scheme, value: number): number {
  const share = ((value - low) / (high - low)) * 255;
  return share === share ? table[share <= 0 ? 0 : share >= 255 ? 255 : Math.round(share)] : GREY;
}

const GREY = packed([0x80, 0x80, 0x80]);

/** The same for a style sheet. */
export function cssOf(scheme: Scheme, value: number): string {
  return css(unpacked(colourOf(scheme, value)));
}
