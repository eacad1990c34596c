/** What a key does on a map: another unit, another step, or the view of the unit. */

import type { SiteMap } from "../../charts/site_map";
import type { State } from "../../state/types";

/** The change of the state; undefined for keys that mean nothing here. */
export function moved(map: SiteMap, event: KeyboardEvent, state: State, steps: number): Partial<State> | undefined {
  const far = event.shiftKey ? 10 : 1;
  const patches: Record<string, Partial<State>> = {
    ArrowUp: { unit: map.neighbour(state.unit, -far) },
    ArrowDown: { unit: map.neighbour(state.unit, far) },
    ArrowLeft: { time: Math.max(0, state.time - far * map.every) },
    ArrowRight: { time: Math.min(steps - 1, state.time + far * map.every) },
    Home: { time: 0 },
    End: { time: steps - 1 },
    PageUp: { unit: map.ends()[0] },
    PageDown: { unit: map.ends()[1] },
    Enter: { view: "unit" as const },
  };
  return patches[event.key];
}
