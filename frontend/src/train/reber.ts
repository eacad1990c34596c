/** The embedded Reber grammar, state after state, as byhand.tasks.reber has it: B, then T or P, a Reber string, the same T or P, E. */

type Ways = [symbol: string, after: number][];

export const SYMBOLS = "BTSXPVE";

const INNER: Ways[] = [
  [["B", 1]],
  [
    ["T", 2],
    ["P", 3],
  ],
  [
    ["S", 2],
    ["X", 4],
  ],
  [
    ["T", 3],
    ["V", 5],
  ],
  [
    ["X", 3],
    ["S", 6],
  ],
  [
    ["P", 4],
    ["V", 6],
  ],
  [["E", 7]],
];

export const END = 2 * (INNER.length + 1) + 3;

/** State -> where it goes from there, each way as likely. A machine remembers by where it is: the inner grammar is there twice. */
export const WAYS: Ways[] = [
  [["B", 1]],
  [
    ["T", 2],
    ["P", 2 + INNER.length + 1],
  ],
  ...["T", "P"].flatMap((letter, k) => {
    const first = 2 + k * (INNER.length + 1);
    const inner = INNER.map((ways) => ways.map(([symbol, after]): Ways[number] => [symbol, first + after]));
    const again: Ways = [[letter, END - 1]];
    return [...inner, again];
  }),
  [["E", END]],
];
