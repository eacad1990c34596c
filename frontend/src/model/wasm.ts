/** Matrix times vector as a WebAssembly module of our own, written byte by byte: it multiplies two doubles at once, which JavaScript
 *  cannot. Numbers of instructions and sections: WebAssembly Core Specification 2.0, chapter 5. */

export const ROWS = 4; // of a block: four sums that need not wait for each other
export const COLUMNS = 4; // of a turn: two pairs; a row is filled up with zeros to a multiple

/** Addresses of matrix, vector and sums, bytes of a row, blocks of rows. */
export type Times = (matrix: number, vector: number, sums: number, row: number, blocks: number) => void;

const [I32, V128] = [0x7f, 0x7b];
const [LOOP, BRANCH_IF, END_OF] = [[0x03, 0x40], [0x0d, 0], [0x0b]];
const [GET, SET, TEE, NUMBER, NOT_EQUAL, PLUS, MINUS] = [0x20, 0x21, 0x22, 0x41, 0x47, 0x6a, 0x6b]; // of integers
const [PLUS_DOUBLE, STORE_DOUBLE] = [0xa0, 0x39];
const [LOAD, LOAD_HALF, ZERO, LANE, PLUS_PAIR, TIMES_PAIR, TO_DOUBLES] = [0x00, 0x5d, 0x0c, 0x21, 0xf0, 0xf2, 0x5f].map(simd);
const [MATRIX, VECTOR, SUMS, ROW, BLOCKS] = [0, 1, 2, 3, 4];
const [AT, END] = [5, 6]; // where the vector is read; where the first row ends
const ROW_AT = [7, 8, 9, 10];
const [VALUES, WEIGHTS] = [11, 12];
const SUM = [13, 14, 15, 16];

/** The module's bytes: `memory`, and the functions `doubles` and `singles`, named after what the matrix's numbers are. */
export function productModule(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [[0x60, ...list([[I32], [I32], [I32], [I32], [I32]]), 0]]), // five integers to nothing
    ...section(3, [[0], [0]]),
    ...section(5, [[0, 1]]),
    ...section(7, [
      [...text("memory"), 2, 0],
      [...text("doubles"), 0, 0],
      [...text("singles"), 0, 1],
    ]),
    ...section(10, [sized(times(16, [...LOAD, 4])), sized(times(8, [...LOAD_HALF, 3], TO_DOUBLES))]),
  ]);
}

/** For every block of rows, for every pair of columns: four rows times the vector. pair: bytes of two weights; load, widen: how they
 *  are read, and made doubles. */
function times(pair: number, load: number[], widen: number[] = []): number[] {
  const products = [0, 1].flatMap((turn) => [
    ...[...get(AT), ...LOAD, 4, 16 * turn, ...set(VALUES)],
    ...ROW_AT.flatMap((row, r) => [
      ...[...get(row), ...load, pair * turn, ...widen, ...set(WEIGHTS)],
      ...[...get(SUM[r]), ...get(WEIGHTS), ...get(VALUES), ...TIMES_PAIR, ...PLUS_PAIR, ...set(SUM[r])],
    ]),
  ]);
  const block = [
    ...[...get(VECTOR), ...set(AT), ...get(MATRIX)],
    ...ROW_AT.flatMap((row) => [TEE, row, ...get(ROW), PLUS]), // each row begins where the one before ends
    ...set(MATRIX), // where the next block begins
    ...[...get(ROW_AT[1]), ...set(END)],
    ...SUM.flatMap((sum) => [...ZERO, ...Array<number>(16).fill(0), ...set(sum)]),
    ...whileNotZero([
      ...products,
      ...[AT, ...ROW_AT].flatMap((at) => [...get(at), NUMBER, at === AT ? 32 : 2 * pair, PLUS, ...set(at)]),
      ...[...get(ROW_AT[0]), ...get(END), NOT_EQUAL],
    ]),
    ...SUM.flatMap((sum, r) => [...get(SUMS), ...half(sum, 0), ...half(sum, 1), PLUS_DOUBLE, STORE_DOUBLE, 3, 8 * r]),
    ...[...get(SUMS), NUMBER, 8 * ROWS, PLUS, ...set(SUMS)],
    ...[...get(BLOCKS), NUMBER, 1, MINUS, TEE, BLOCKS],
  ];
  const locals = list([
    [ROW_AT.length + 2, I32],
    [SUM.length + 2, V128],
  ]);
  return [...locals, ...whileNotZero(block), ...END_OF];
}

function simd(operation: number): number[] {
  return [0xfd, ...unsigned(operation)];
}

function get(local: number): number[] {
  return [GET, local];
}

function half(local: number, which: number): number[] {
  return [...get(local), ...LANE, which];
}

function set(local: number): number[] {
  return [SET, local];
}

/** Once, and again as long as the number that the body leaves is not 0. */
function whileNotZero(body: number[]): number[] {
  return [...LOOP, ...body, ...BRANCH_IF, ...END_OF];
}

function section(id: number, items: number[][]): number[] {
  return [id, ...sized(list(items))];
}

function list(items: number[][]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function sized(content: number[]): number[] {
  return [...unsigned(content.length), ...content];
}

function text(name: string): number[] {
  return sized([...new TextEncoder().encode(name)]);
}

function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >> 7)];
}
