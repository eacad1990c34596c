/** The tour's keyboard: ← and → choose the day, Enter goes on, u takes back, unless what has the focus wants the key for itself. */

import { stepBy } from "../../panels/timebar";
import type { OwnStore } from "../../state/store";

const OWN = "input, select, textarea, dialog, :is([role=spinbutton], [role=slider]):not(.node), [role=tablist]";

const PRESSED = "button, a[href], summary, [role=button], [role=tab], .node";

/** on, back: to the next stage, and to the one before. Gives what ends it. */
export function tourKeys(element: HTMLElement, inner: OwnStore, on: () => void, back: () => void): () => void {
  const root = element.ownerDocument;
  const act = (event: KeyboardEvent, target: Element): boolean => {
    if (event.key === "ArrowLeft") stepBy(inner, -1);
    else if (event.key === "ArrowRight") stepBy(inner, 1);
    else if (event.key === "Enter" && target.closest(PRESSED)) return false;
    else if (event.key === "Enter") (event.shiftKey ? back : on)();
    else if (event.key === "u") inner.undo();
    else if (event.key === "U") inner.redo();
    else return false;
    return true;
  };
  const key = (event: KeyboardEvent): void => {
    const target = event.target instanceof Element ? event.target : root.body;
    if (!element.isConnected || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!(target.contains(element) || element.contains(target)) || target.closest(OWN)) return;
    if (act(event, target)) event.preventDefault();
  };
  const hold = (): void => inner.hold(true);
  const release = (): void => inner.hold(false);
  root.addEventListener("keydown", key, true);
  element.addEventListener("pointerdown", hold, true);
  window.addEventListener("pointerup", release);
  window.addEventListener("pointercancel", release);
  return () => {
    root.removeEventListener("keydown", key, true);
    window.removeEventListener("pointerup", release);
    window.removeEventListener("pointercancel", release);
  };
}
