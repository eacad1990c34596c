/** A view: what the shell asks of each. */

import type { Store } from "../state/types";

/** A view: built once, updated when something changed. `destroy` removes its listeners. */
export interface View {
  element: HTMLElement;
  update(): void;
  destroy(): void;
}

export type MakeView = (store: Store) => View;
