/** The training, over its epochs. */
import { make } from "./elements";
import type { MakeView } from "./types";

export const makeTraining: MakeView = () => ({ element: make("div", { class: "panel" }, "Training"), update: () => undefined, destroy: () => undefined });
