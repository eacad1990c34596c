// Bundles frontend/src into src/byhand/explorer/static/explorer.js and explorer.css. Both are committed, so that users need no node.
// The first line of each carries a hash of the sources: by it a test sees, without node, whether the built files are up to date.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "src", "byhand", "explorer", "static");

/** sha256 over package.json, then all of src in the order of its paths: "PATH\n", the bytes, "\n". */
function hashOfSources() {
  const paths = readdirSync(join(here, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(here.length + 1)
        .replaceAll("\\", "/"),
    )
    .sort();
  const hash = createHash("sha256");
  for (const path of ["package.json", ...paths]) {
    hash.update(`${path}\n`);
    hash.update(readFileSync(join(here, path)));
    hash.update("\n");
  }
  return hash.digest("hex");
}

const sources = hashOfSources();
const result = await build({
  absWorkingDir: here,
  entryPoints: { explorer: "src/main.ts" },
  outdir: target,
  bundle: true,
  minify: true,
  write: false,
  charset: "utf8",
  format: "esm",
  target: ["es2022"],
  legalComments: "none",
  logLevel: "warning",
});
mkdirSync(target, { recursive: true });
for (const file of result.outputFiles) {
  const text = `/* byhand explorer, sources sha256 ${sources} */\n${file.text}`;
  // Written beside and moved into place: whoever reads it at this moment gets the old one or the new one, whole.
  writeFileSync(`${file.path}.${process.pid}`, text);
  renameSync(`${file.path}.${process.pid}`, file.path);
  console.log(`${file.path.split(/[\\/]/).pop()}: ${Math.round(text.length / 1024)} KiB`);
}
