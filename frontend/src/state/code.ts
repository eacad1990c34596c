/** The code at the end of a class: from the day and a name or number, and back. It shows diligence, not who was diligent: whoever reads
 *  these lines can make one.
 *
 *  Eight signs: three for the day, counted from 1 January 2020, five that follow from day and name.
 */

const SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // without I L O U, which are taken for others

const [DAY_SIGNS, NAME_SIGNS, DAY] = [3, 5, 86_400_000];

const FIRST = Date.UTC(2020, 0, 1);

/** The code for a name on the day that the clock here shows: "2EYS-17CR". */
export function codeOf(name: string, now: Date): string {
  const day = Math.round((Date.UTC(now.getFullYear(), now.getMonth(), now.getDate()) - FIRST) / DAY);
  const whole = written(day, DAY_SIGNS) + proof(name, day);
  return `${whole.slice(0, 4)}-${whole.slice(4)}`;
}

/** The day of a code, as "2026-12-01"; null if it is not the code for this name. */
export function dayOf(name: string, code: string): string | null {
  const signs = code.toUpperCase().replaceAll(/[\s-]/g, "").replaceAll("O", "0").replaceAll(/[IL]/g, "1");
  if (signs.length !== DAY_SIGNS + NAME_SIGNS || [...signs].some((sign) => !SIGNS.includes(sign))) return null;
  const day = [...signs.slice(0, DAY_SIGNS)].reduce((all, sign) => all * SIGNS.length + SIGNS.indexOf(sign), 0);
  if (signs.slice(DAY_SIGNS) !== proof(name, day)) return null;
  return new Date(FIRST + day * DAY).toISOString().slice(0, 10);
}

/** A name however it is typed: capitals and blanks do not count. */
export function plain(name: string): string {
  return name.normalize("NFKC").toLowerCase().replaceAll(/\s+/gu, " ").trim();
}

function proof(name: string, day: number): string {
  let hash = 0x811c9dc5; // FNV-1a, 32 bits
  for (const byte of new TextEncoder().encode(`byhand ${day} ${plain(name)}`)) hash = Math.imul(hash ^ byte, 0x01000193);
  return written(((hash >>> 7) ^ hash) & 0x1ffffff, NAME_SIGNS);
}

function written(number: number, signs: number): string {
  return Array.from({ length: signs }, (_, place) => SIGNS[Math.floor(number / SIGNS.length ** (signs - 1 - place)) % SIGNS.length]).join(
    "",
  );
}

/** A teacher's lines, a name and a code in each, as they were sent: the code, null where there is none, and its day, null if it is
 *  not the code for this name.
 */
export function checked(lines: string): { name: string; code: string | null; day: string | null }[] {
  return lines
    .split("\n")
    .filter((line) => line.trim())
    .map((line) => {
      const found = line.match(/^(.*?)[\s,;:]+([0-9a-z]{4})[\s-]?([0-9a-z]{4})\W*$/iu);
      if (!found) return { name: line.trim(), code: null, day: null };
      const code = `${found[2]}-${found[3]}`.toUpperCase();
      return { name: found[1].trim(), code, day: dayOf(found[1], code) };
    });
}
