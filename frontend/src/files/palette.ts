/** At most 256 colours for many pictures: all of them where they are few, else by halving the box of colours that is widest, at its
 *  median. Heckbert, Color image quantization for frame buffer display, SIGGRAPH 1982. */

export const COLOURS = 256;

const ROUGH = 0xf8f8f8; // colours that differ in their last three bits alone are one, where there are too many
const CHANNELS = [16, 8, 0]; // where red, green, blue stand in a colour

export class Palette {
  private readonly colours: number[]; // red << 16 | green << 8 | blue
  private readonly nearest = new Map<number, number>();

  /** pictures: red, green, blue, alpha of each dot. */
  constructor(pictures: Uint8ClampedArray[]) {
    const counts = new Map<number, number>();
    for (const pixels of pictures) count(pixels, counts);
    this.colours = counts.size > COLOURS ? halved(counts) : [...counts.keys()];
  }

  /** Red, green, blue of each of the 256; black where there are fewer. */
  get bytes(): number[] {
    return Array.from({ length: COLOURS }, (_, k) => this.colours[k] ?? 0).flatMap((colour) =>
      CHANNELS.map((shift) => (colour >> shift) & 255),
    );
  }

  /** The number of the nearest colour of each dot. */
  indices(pixels: Uint8ClampedArray): Uint8Array {
    const found = new Uint8Array(pixels.length / 4);
    let [last, index] = [-1, 0];
    for (let k = 0; k < found.length; k++) {
      const colour = at(pixels, 4 * k);
      if (colour !== last) [last, index] = [colour, this.index(colour)];
      found[k] = index;
    }
    return found;
  }

  private index(colour: number): number {
    let found = this.nearest.get(colour);
    if (found === undefined) {
      const away = this.colours.map((one) =>
        CHANNELS.reduce((sum, shift) => sum + (((one >> shift) & 255) - ((colour >> shift) & 255)) ** 2, 0),
      );
      found = away.indexOf(Math.min(...away));
      this.nearest.set(colour, found);
    }
    return found;
  }
}

function at(pixels: Uint8ClampedArray, k: number): number {
  return (pixels[k] << 16) | (pixels[k + 1] << 8) | pixels[k + 2];
}

function count(pixels: Uint8ClampedArray, counts: Map<number, number>): void {
  for (let k = 0; k < pixels.length; k += 4) {
    const colour = at(pixels, k);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
}

interface Box {
  colours: [colour: number, dots: number][];
  channel: number; // the one in which they are farthest apart
  range: number;
}

/** The commonest colour of each box: what fills an area stays exactly as it is. */
function halved(counts: Map<number, number>): number[] {
  const rough = new Map<number, [colour: number, dots: number, most: number]>();
  for (const [colour, dots] of counts) {
    const known = rough.get(colour & ROUGH);
    if (!known) rough.set(colour & ROUGH, [colour, dots, dots]);
    else rough.set(colour & ROUGH, [dots > known[2] ? colour : known[0], known[1] + dots, Math.max(dots, known[2])]);
  }
  const boxes = [boxOf([...rough.values()].map(([colour, dots]) => [colour, dots]))];
  while (boxes.length < COLOURS) {
    const widest = boxes.reduce((best, box, k) => (box.range > boxes[best].range ? k : best), 0);
    if (boxes[widest].range === 0) break;
    boxes.push(...split(boxes.splice(widest, 1)[0]));
  }
  return boxes.map(({ colours }) => colours.reduce((best, one) => (one[1] > best[1] ? one : best))[0]);
}

function boxOf(colours: Box["colours"]): Box {
  const ranges = CHANNELS.map((shift) => {
    let [low, high] = [255, 0];
    for (const [colour] of colours) {
      const value = (colour >> shift) & 255;
      [low, high] = [Math.min(low, value), Math.max(high, value)];
    }
    return high - low;
  });
  const range = Math.max(...ranges);
  return { colours, channel: CHANNELS[ranges.indexOf(range)], range };
}

/** At the median of its colours, each counted once: a small mark in a colour of its own weighs as much as the paper. */
function split({ colours, channel }: Box): [Box, Box] {
  const value = ([colour]: [number, number]): number => (colour >> channel) & 255;
  const sorted = [...colours].sort((a, b) => value(a) - value(b));
  let middle = Math.max(1, sorted.length >> 1);
  while (middle < sorted.length && value(sorted[middle]) === value(sorted[middle - 1])) middle += 1;
  if (middle === sorted.length) {
    middle = sorted.length >> 1;
    while (value(sorted[middle]) === value(sorted[middle - 1])) middle -= 1;
  }
  return [boxOf(sorted.slice(0, middle)), boxOf(sorted.slice(middle))];
}
