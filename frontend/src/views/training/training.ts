/** The training: the loss over its epochs; below it the gates of the chosen unit over time, as they were at the epoch chosen. */

import "./training.css";
import { LossCurve } from "../../charts/loss_curve";
import { Sparks } from "../../charts/sparklines";
import type { TrainingDoc } from "../../document/schema";
import { make, write } from "../../dom/elements";
import { iconButton, setIcon } from "../../dom/icons";
import type { View } from "../../dom/view";
import type { Store } from "../../state/types";
import { figure } from "../../text/format";

export function makeTraining(store: Store): View {
  const { training } = store.model.doc;
  if (!training) return { element: make("p", {}, "There is no training to show."), update: () => undefined, destroy: () => undefined };
  return new TrainingView(store, training);
}

class TrainingView implements View {
  readonly element: HTMLElement;
  private readonly curve: LossCurve;
  private readonly sparks: Sparks;
  private readonly slider = make("input", { type: "range", min: 0, step: 1, "aria-label": "epoch" });
  private readonly epoch = make("output", { class: "epoch" });
  private readonly loss = make("span", { class: "soft" });
  private readonly play = iconButton("play", "play through the epochs", () => this.toggle());
  private readonly trained = make("button", { type: "button", class: "outlined" }, "As trained");
  private readonly which = make("h2");
  private timer = 0;

  constructor(
    private readonly store: Store,
    private readonly training: TrainingDoc,
  ) {
    const last = training.epochs.length - 1;
    this.slider.max = String(last);
    this.slider.addEventListener("input", () => this.choose(Number(this.slider.value)));
    this.play.classList.add("primary", "play");
    this.play.disabled = last < 1;
    this.trained.addEventListener("click", () => this.choose(null));
    this.curve = new LossCurve(training, (snapshot) => this.choose(snapshot));
    this.sparks = new Sparks(store);
    const readout = make("div", { class: "readout" }, this.epoch, this.loss);
    const top = make("div", { class: "top" }, this.play, make("h2", {}, "Loss"), readout, this.trained);
    this.element = make(
      "div",
      { class: "training" },
      make("section", { class: "panel", "aria-label": "loss" }, top, this.curve.element, make("div", { class: "epochs" }, this.slider)),
      make(
        "section",
        { class: "panel", "aria-label": "gates and memories as they were" },
        this.which,
        make("p", { class: "soft small" }, "The thin line is how it ends, as trained."),
        this.sparks.element,
      ),
    );
  }

  private choose(snapshot: number | null): void {
    this.stop();
    this.store.set({ snapshot });
  }

  update(): void {
    const { snapshot, unit, place } = this.store.state;
    const { epochs, losses } = this.training;
    const shown = snapshot ?? epochs.length - 1;
    const epoch = epochs[shown];
    this.slider.value = String(shown);
    this.slider.style.setProperty("--share", String(epochs.length > 1 ? shown / (epochs.length - 1) : 1));
    this.slider.setAttribute("aria-valuetext", `epoch ${epoch}`);
    write(this.epoch, snapshot === null ? "as trained" : `epoch ${epoch.toLocaleString("en")}`);
    const known = losses.filter((one) => one.epoch <= epoch).at(-1);
    write(this.loss, known && snapshot !== null ? `loss ${figure(known.loss)}` : "");
    this.trained.setAttribute("aria-pressed", String(snapshot === null));
    const many = this.store.model.doc.layers.length > 1 ? `, ${place}` : "";
    write(
      this.which,
      `Unit ${unit}${many}: over time, ${snapshot === null ? "as trained" : `as after epoch ${epoch.toLocaleString("en")}`}`,
    );
    this.curve.update(snapshot === null ? null : epoch);
    this.sparks.update();
  }

  private toggle(): void {
    if (this.timer) return this.stop();
    const { epochs } = this.training;
    const { snapshot } = this.store.state;
    if (snapshot === null || snapshot === epochs.length - 1) this.store.set({ snapshot: 0 });
    this.timer = window.setInterval(() => this.advance(), Math.max(60, Math.min(700, 9000 / epochs.length)));
    setIcon(this.play, "pause", "pause");
  }

  private advance(): void {
    const next = (this.store.state.snapshot ?? -1) + 1;
    if (!this.element.isConnected || next >= this.training.epochs.length) this.stop();
    else this.store.set({ snapshot: next });
  }

  private stop(): void {
    window.clearInterval(this.timer);
    this.timer = 0;
    setIcon(this.play, "play", "play through the epochs");
  }

  destroy(): void {
    this.stop();
    this.curve.destroy();
    this.sparks.destroy();
  }
}
