/** Placeholder. */
import { make } from "./elements";
import type { MakeView } from "./types";

export const makeTour: MakeView = () => ({ element: make("div", { class: "panel" }, "Tour"), update: () => undefined, destroy: () => undefined });
