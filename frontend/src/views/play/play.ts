/** Training in the page: a task, a cell, its gates; the loss, what every gate does and how the gradient travels, while it learns. */

import "./play.css";
import { LossCurve } from "../../charts/loss_curve";
import type { PlayDoc, TrainingDoc } from "../../document/schema";
import { make, write } from "../../dom/elements";
import { iconButton, setIcon } from "../../dom/icons";
import type { View } from "../../dom/view";
import { open } from "../../state/opened";
import type { Store } from "../../state/types";
import { figure } from "../../text/format";
import { documentOf, heldFragment } from "../../train/document";
import { pythonFor, safetensors } from "../../train/safetensors";
import type { Session } from "../../train/session";
import { type Settings, settingsOf, settingsWord } from "../../train/settings";
import { checked, type Sequence, type Task, taskOf } from "../../train/tasks";
import { makeControls } from "./controls";
import { makeGates } from "./gates";
import { Pictures } from "./pictures";
import { sessionOf } from "./session";

const QUESTION = "Can it learn this, and which gate does it need? Press play, take a gate away, rewind.";

const PACES: [pace: number, text: string][] = [
  [0, "as fast as it can"],
  [30, "30 epochs a second"],
  [5, "5 epochs a second"],
];

const WATCHED = 30; // epochs a second of the lesson, which is over in a blink otherwise

export function makePlay(store: Store): View {
  const { play } = store.model.doc;
  if (!play)
    return {
      element: make("p", {}, "This page cannot train: byhand play makes one that can."),
      update: () => undefined,
      destroy: () => undefined,
    };
  return new PlayView(store, play);
}

class PlayView implements View {
  readonly element: HTMLElement;
  private readonly session: Session;
  private readonly controls;
  private readonly gates;
  private readonly pictures = new Pictures();
  private readonly training: TrainingDoc = { epochs: [0], losses: [], weights: [], heads: null };
  private readonly curve = new LossCurve(this.training, (index) => this.rewind(index));
  private readonly slider = make("input", { type: "range", min: 0, step: 1, "aria-label": "rewind to epoch" });
  private readonly go = iconButton("play", "train", () => this.session.run(!this.session.running));
  private readonly epoch = make("output", { class: "epoch" });
  private readonly loss = make("span");
  private readonly speed = make("span", { class: "soft" });
  private readonly note = make("p", { class: "small play-note", role: "status" });
  private readonly saved = make("code", { class: "small" });
  private readonly pace = make("select", { "aria-label": "pace" });
  private readonly actions: HTMLButtonElement[];
  private frame = 0;
  private shown = ""; // the settings of what is drawn

  constructor(
    private readonly store: Store,
    private readonly play: PlayDoc,
  ) {
    this.session = sessionOf(play);
    this.controls = makeControls(play, (settings) => this.choose(settings));
    this.gates = makeGates(play, (held) => this.hold(held));
    this.go.classList.add("primary", "play");
    const step = iconButton("forward", "one epoch", () => this.session.step());
    const again = iconButton("first", "start again", () => this.begin(this.session.settings!));
    this.pace.append(...PACES.map(([pace, text]) => new Option(text, String(pace))));
    this.pace.addEventListener("change", () => this.session.setPace(Number(this.pace.value)));
    this.slider.addEventListener("input", () => this.rewind(Number(this.slider.value)));
    const opened = make("button", { type: "button", class: "outlined" }, "Open it in the other views");
    opened.addEventListener("click", () => void this.openIt());
    const save = make("button", { type: "button", class: "outlined" }, "Save as .safetensors");
    save.addEventListener("click", () => void this.save());
    this.actions = [opened, save];
    const readout = make("div", { class: "readout" }, this.epoch, this.loss, this.speed);
    const top = make("div", { class: "top" }, this.go, step, again, this.pace, readout);
    this.element = make(
      "div",
      { class: "play-view training" },
      make("p", { class: "question" }, QUESTION),
      this.controls.element,
      make(
        "section",
        { class: "panel", "aria-label": "loss", "data-panel": "loss" },
        ...[top, this.curve.element, make("div", { class: "epochs" }, this.slider), this.note],
        make("div", { class: "play-actions" }, ...this.actions, this.saved),
      ),
      this.gates.element,
      this.pictures.element,
    );
    this.session.listener = () => this.soon();
    this.update();
  }

  /** The settings in the address count; those of the session, where the address has none. */
  update(): void {
    const { play: word } = this.store.state;
    const { settings } = this.session;
    if (!settings || (word && word !== settingsWord(settings))) this.begin(word || !settings ? settingsOf(word, this.play) : settings);
    this.soon();
  }

  private choose(settings: Settings): void {
    const { running } = this.session;
    this.begin(settings);
    if (running) this.session.run(true);
  }

  private begin(settings: Settings): void {
    if (this.session.settings?.task !== settings.task) this.session.pace = settings.task === "companies" ? WATCHED : 0;
    this.session.start(settings);
    this.remember();
  }

  private hold(held: Record<string, number>): void {
    this.session.hold(held);
    this.remember();
  }

  private remember(): void {
    const word = settingsWord(this.session.settings!);
    write(this.saved, "");
    if (this.store.state.play !== word) this.store.set({ play: word });
    this.soon();
  }

  private rewind(index: number): void {
    const epoch = this.session.report?.kept[index];
    if (epoch !== undefined && epoch !== this.session.report?.epoch) this.session.rewind(epoch);
  }

  private soon(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (this.element.isConnected) this.draw();
    });
  }

  private draw(): void {
    const { session } = this;
    const settings = session.settings!;
    this.controls.update(settings);
    this.gates.update(settings);
    this.pace.value = String(session.pace);
    setIcon(this.go, session.running ? "pause" : "play", session.running ? "pause" : "train");
    write(this.note, noteOf(session));
    const { report } = session;
    for (const button of [this.go, ...this.actions]) button.disabled = !report;
    if (!report) return;
    const { kept, curve, epoch } = report;
    this.training.epochs = kept;
    this.training.losses = curve.epochs.map((one, k) => ({ epoch: one, loss: curve.losses[k] }));
    const at = kept.filter((one) => one <= epoch).length - 1;
    this.slider.max = String(kept.length - 1);
    this.slider.value = String(at);
    this.slider.style.setProperty("--share", String(kept.length > 1 ? at / (kept.length - 1) : 1));
    this.slider.setAttribute("aria-valuetext", `epoch ${kept[at]}`);
    write(this.epoch, `epoch ${epoch.toLocaleString("en")}`);
    write(this.speed, session.speed ? `${Math.round(session.speed).toLocaleString("en")} epochs a second` : "");
    this.curve.update(epoch);
    const shown = this.sequence(settings);
    const least = shown.task.least > 0 ? ` (at best ${figure(shown.task.least)})` : "";
    write(this.loss, `loss ${figure(report.loss)}${least}, ${Math.round(100 * report.right)} % right`);
    this.pictures.update(report, this.play.cells[settings.cell].cell, shown.task, shown.sequence);
  }

  private drawn: ReturnType<typeof exampleOf> | null = null;

  private sequence(settings: Settings): ReturnType<typeof exampleOf> {
    const word = JSON.stringify([settings, settings.text]);
    if (!this.drawn || this.shown !== word) this.drawn = exampleOf(settings);
    this.shown = word;
    return this.drawn;
  }

  private async openIt(): Promise<void> {
    this.session.run(false);
    const result = await this.session.result();
    const { theme } = this.store.state;
    const look = theme === "auto" ? "" : `&theme=${theme}`;
    const word = encodeURIComponent(settingsWord(result.settings));
    const fragment = `view=unit&play=${word}${heldFragment(result.settings.held)}${look}`;
    open(this.element, { doc: documentOf(result, this.play), fragment });
  }

  private async save(): Promise<void> {
    const { settings, parts, snapshots } = await this.session.result();
    const bytes = safetensors(parts, snapshots.at(-1)!.numbers, settings, this.play.cells[settings.cell].biases);
    const name = `${settings.task}-${settings.cell}.safetensors`;
    const link = make("a", { href: URL.createObjectURL(new Blob([bytes])), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    write(this.saved, pythonFor(settings, name));
  }

  destroy(): void {
    this.session.listener = null;
    cancelAnimationFrame(this.frame);
    this.curve.destroy();
    this.pictures.destroy();
  }
}

function exampleOf(settings: Settings): { task: Task; sequence: Sequence } {
  const task = taskOf(settings);
  return { task, sequence: checked(task, settings.seed)[0] };
}

/** What there is to say: what went wrong, how it runs, which gates are held. */
function noteOf({ problem, report, inPage, settings }: Session): string {
  if (problem) return `The training stopped: ${problem}`;
  if (report?.broken) return "The numbers are no longer finite: rewind, and take a lower learning rate.";
  const held = Object.entries(settings?.held ?? {}).map(([site, value]) => `${site} is held ${HOLDS[value] ?? `at ${figure(value)}`}`);
  return [held.length ? `${held.join(", ")}.` : "", inPage ? SLOW : ""].filter(Boolean).join(" ");
}

const HOLDS: Record<number, string> = { 0: "shut", 1: "open" };

const SLOW = "This browser refuses workers here, so the training runs between the frames of the page, and slower.";
