// Says which imports go up: each folder of src may import only from those before it, and from itself.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const source = join(dirname(fileURLToPath(import.meta.url)), "src");
const ORDER = [
  ["document"],
  ["files"],
  ["text"],
  ["model"],
  ["train"],
  ["state"],
  ["dom"],
  ["charts", "diagram"],
  ["panels"],
  ["views"],
  ["shell"],
  ["main.ts"],
];
const floor = (path) => ORDER.findIndex((names) => names.includes(path.replaceAll("\\", "/").split("/")[0]));

let wrong = 0;
for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || !path.endsWith(".ts") || path.endsWith(".d.ts")) continue;
  const from = relative(source, path);
  for (const [, target] of readFileSync(path, "utf8").matchAll(/(?:from|import) "(\.[^"]*)"/g)) {
    const to = relative(source, join(dirname(path), target));
    if (floor(to) <= floor(from)) continue;
    console.error(`${from} imports ${to}, which stands above it`);
    wrong += 1;
  }
}
process.exit(wrong ? 1 : 0);
