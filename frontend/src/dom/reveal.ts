/** What opens is brought into sight. */

import { calm } from "./elements";

/** Scrolls as little as shows the element, above the time bar; not at all where it is in sight already. */
export function reveal(element: Element | null | undefined): void {
  element?.scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
}
