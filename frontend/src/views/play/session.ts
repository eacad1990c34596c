/** The training of a page, which goes on while its trained network is looked at. */

import type { PlayDoc } from "../../document/schema";
import { Session } from "../../train/session";

const sessions = new WeakMap<PlayDoc, Session>(); // a document made of a training brings the same PlayDoc along

export function sessionOf(play: PlayDoc): Session {
  let found = sessions.get(play);
  if (!found) sessions.set(play, (found = new Session(play, ownScript())));
  return found;
}

const EXPORTS = /export\s*\{[^{}]*\};?\s*$/; // at the end, where esbuild writes them

/** The script that runs here, which stands in the page (build.mjs writes its first words), as a worker takes it: no module, for a
 *  page from the disk may not have one as a worker. */
function ownScript(): string | null {
  const found = [...document.scripts].find(({ text }) => text.startsWith("/* byhand explorer"));
  return found ? `"use strict";\n${found.text.replace(EXPORTS, "")}` : null;
}
