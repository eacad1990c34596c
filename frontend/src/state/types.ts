/** What the page shows at the moment, and where it is kept. */

import type { Edit, Model, Run, Selection, Sort } from "../model/types";

export type ViewName = "tour" | "unit" | "layer" | "ledger" | "training" | "text" | "compare" | "play";

/** Views that show a model of their own, not the document's. */
export const OWN_MODEL: ViewName[] = ["tour", "play"];

/** class: of the tour, no next stage before this one is solved, and a code at the end. check: where a teacher holds such codes up. */
export type Lesson = "" | "class" | "check";

/** A span of a sequence that the reader has marked: a track of their own. */
export interface Mark {
  item: number;
  span: [from: number, to: number]; // both ends included
}

/** What "Find units" was asked. */
export interface Finding {
  all: boolean; // all sites, not the memories alone
  period: number; // of a series; 0: none
  track: string; // whose best units are listed; "": the best unit of each
}

/** All that the address of the page holds. */
export interface State extends Selection {
  view: ViewName;
  node: string | null; // what is opened in the unit's picture: a site, "x.GATE" for a gate's sum, "input", "s.STATE"
  compare: boolean; // the original, thin, under the edited
  playing: boolean; // not in the address
  stage: number; // of the tour
  lesson: Lesson;
  sort: Sort;
  span: [number, number] | null; // brushed steps, both ends included
  table: boolean; // the data table is open
  input: boolean; // the panel for a sequence of the reader's own is open
  own: string | null; // that sequence (model/own.ts)
  temperature: number; // at which the model writes on
  seed: number; // of what is drawn then
  theme: "auto" | "light" | "dark";
  sides: string; // the two that are compared: "trained~epoch0"; "": as at first
  marks: Mark[];
  finding: Finding | null;
  note: string; // not in the address: what of it could not be read
  play: string; // what is trained in the page, as one word; "": nothing was chosen
}

export interface Store {
  readonly state: State;
  readonly model: Model;
  /** The run with the edits that are on, and the one without. */
  run(): Run;
  original(): Run;
  /** Change the state; remember: a step that undo takes back (edits always are). Views are updated in the next animation frame. */
  set(patch: Partial<State>, options?: { remember?: boolean }): void;
  /** Add an edit, or replace the one at the same place. While dragging: several calls, one step of undo. */
  edit(edit: Edit, options?: { dragging?: boolean }): void;
  /** What is being dragged is taken back, as if it had never been. */
  abandon(): void;
  undo(): void;
  redo(): void;
  canUndo(): boolean;
  canRedo(): boolean;
  /** The edits that are on, as Python text to copy. */
  python(): string;
  /** Views draw again though the state is the same. */
  refresh(): void;
  subscribe(listener: () => void): () => void;
}
