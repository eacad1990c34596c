/** A film of a view: its steps one after the other, drawn and written in the page, as GIF or WebM. */

import { pictureOf, type Shown, shownAs } from "../dom/picture";
import { type Frame, gif } from "../files/gif";
import type { Store } from "../state/types";

export type FilmKind = "gif" | "webm";

const MOST = 120; // frames; of more steps as many, evenly
const LONGEST = 8000; // milliseconds of a film, where a frame may then be shorter
const [SLOW, FAST, LAST] = [700, 40, 1500]; // milliseconds of a frame: the most, the least, and of the last one
const WIDEST = 1200; // dots

export interface FilmOptions {
  progress(done: number, all: number): void;
  stopped(): boolean;
}

/** The view at every step, from the first to the last; then the page is at the step where it was. null: it was stopped. */
export async function film(
  store: Store,
  view: () => HTMLElement,
  kind: FilmKind,
  { progress, stopped }: FilmOptions,
): Promise<Blob | null> {
  const { time, item } = store.state;
  const times = stepsOf(store.model.doc.items[item].steps);
  const each = Math.max(FAST, Math.min(SLOW, Math.round(LONGEST / times.length / 10) * 10));
  const root = view().closest<HTMLElement>(".byhand-explorer");
  root?.classList.add("filming"); // what moves from step to step is there at once
  try {
    const canvas = document.createElement("canvas");
    const frames: Frame[] = [];
    const recorder = kind === "webm" ? new Recorder(canvas) : null;
    for (const [index, step] of times.entries()) {
      if (stopped()) return null;
      store.set({ time: step, playing: false });
      await drawn();
      const shown = await shownAs(pictureOf(view()));
      const context = sized(canvas, shown, index === 0);
      context.drawImage(shown.picture, 0, 0, shown.width * scale(canvas, shown), shown.height * scale(canvas, shown));
      const milliseconds = index === times.length - 1 ? LAST : each;
      if (recorder) await recorder.frame(milliseconds);
      else frames.push({ pixels: context.getImageData(0, 0, canvas.width, canvas.height).data, milliseconds });
      progress(index + 1, times.length);
    }
    return recorder ? await recorder.end() : new Blob([gif(frames, canvas.width, canvas.height)], { type: "image/gif" });
  } finally {
    root?.classList.remove("filming");
    store.set({ time });
  }
}

function stepsOf(steps: number): number[] {
  const count = Math.min(steps, MOST);
  return Array.from({ length: count }, (_, k) => (count > 1 ? Math.round((k * (steps - 1)) / (count - 1)) : 0));
}

/** After the page has drawn what was set. */
function drawn(): Promise<void> {
  return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())));
}

/** The first frame says how large the film is; a later one that is higher is cut at its foot. */
function sized(canvas: HTMLCanvasElement, { width, height, colour }: Shown, first: boolean): CanvasRenderingContext2D {
  if (first) {
    const factor = Math.min(1, WIDEST / width);
    [canvas.width, canvas.height] = [2 * Math.floor((width * factor) / 2), 2 * Math.floor((height * factor) / 2)]; // even, as videos are
  }
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.fillStyle = colour;
  context.fillRect(0, 0, canvas.width, canvas.height);
  return context;
}

function scale(canvas: HTMLCanvasElement, { width }: Shown): number {
  return Math.min(1, (canvas.width + 1) / width);
}

/** Records a canvas as it is drawn, each frame for as long as it is to stand. */
class Recorder {
  private readonly track: CanvasCaptureMediaStreamTrack;
  private readonly recorder: MediaRecorder;
  private readonly parts: Blob[] = [];

  constructor(canvas: HTMLCanvasElement) {
    if (typeof MediaRecorder === "undefined" || !MediaRecorder.isTypeSupported("video/webm"))
      throw new Error("this browser records no WebM: take the GIF");
    canvas.getContext("2d", { willReadFrequently: true }); // a stream needs a context
    const stream = canvas.captureStream(0);
    this.track = stream.getVideoTracks()[0] as CanvasCaptureMediaStreamTrack;
    this.recorder = new MediaRecorder(stream, { mimeType: "video/webm", videoBitsPerSecond: 4_000_000 });
    this.recorder.addEventListener("dataavailable", ({ data }) => this.parts.push(data));
  }

  /** Time goes on while a frame is drawn, so the recording pauses until the next one is there. */
  async frame(milliseconds: number): Promise<void> {
    if (this.recorder.state === "inactive") this.recorder.start();
    else this.recorder.resume();
    this.track.requestFrame();
    await new Promise((done) => setTimeout(done, milliseconds));
    this.recorder.pause();
  }

  async end(): Promise<Blob> {
    const ended = new Promise((done) => this.recorder.addEventListener("stop", done));
    this.recorder.stop();
    await ended;
    return new Blob(this.parts, { type: "video/webm" });
  }
}
