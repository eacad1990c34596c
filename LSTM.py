"""A Long Short-Term Memory unit built by hand: twelve numbers, three gates, two memories.

Four days of a share price go in, one at a time; a guess at the fifth comes out. From day to day the unit carries a long memory
(the cell state) and a short memory (the hidden state). Three gates, numbers between 0 and 1, decide how much of the long memory
is kept (blue), how much of the candidate (orange) is added to it (green), and how much of it is passed on (purple).
`python LSTM.py` trains it on two companies and shows every gate of every day; `python LSTM.py --help` lists the options.
Equations: Hochreiter & Schmidhuber 1997, Neural Computation 9(8); forget gate: Gers, Schmidhuber & Cummins 2000, 12(10).
"""

import argparse
import logging
import signal
import warnings
import zipfile
from importlib.util import find_spec

import lightning as L
import torch
from lightning.pytorch.callbacks import ProgressBar
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm


# ==== The unit ====
class LSTMbyHand(L.LightningModule):
    """One LSTM unit. The colours are the gates'; index 1 multiplies the short memory, index 2 the input."""

    def __init__(self, learning_rate=0.1, log_every_n_epochs=1):  # Adam's step size; 10 logs every tenth epoch only
        super().__init__()
        if log_every_n_epochs < 1:
            raise ValueError(f"LSTMbyHand expected log_every_n_epochs of at least 1; got {log_every_n_epochs}")
        self.save_hyperparameters()

        def numbers():
            weights = [torch.normal(mean=torch.tensor(0.0), std=torch.tensor(1.0)) for _ in range(2)]
            return [nn.Parameter(number) for number in (*weights, torch.tensor(0.0))]

        self.w_blue1, self.w_blue2, self.b_blue1 = numbers()  # the forget gate
        self.w_green1, self.w_green2, self.b_green1 = numbers()  # the input gate
        self.w_orange1, self.w_orange2, self.b_orange1 = numbers()  # the candidate memory
        self.w_purple1, self.w_purple2, self.b_purple1 = numbers()  # the output gate

    def lstm_unit(self, input_value, long_memory, short_memory, record=None):
        """One day, values of shape () or (batch,): gives [long memory, short memory]; a list `record` gets every value."""
        # f_t = σ(W_fx·x_t + W_fh·h_{t-1} + b_f)       how much of the long memory is kept
        long_remember_percent = torch.sigmoid(short_memory * self.w_blue1 + input_value * self.w_blue2 + self.b_blue1)
        # i_t = σ(W_ix·x_t + W_ih·h_{t-1} + b_i)       how much of the candidate is added
        potential_remember_percent = torch.sigmoid(short_memory * self.w_green1 + input_value * self.w_green2 + self.b_green1)
        # C̃_t = tanh(W_cx·x_t + W_ch·h_{t-1} + b_c)    the candidate: what could be added
        potential_remember = torch.tanh(short_memory * self.w_orange1 + input_value * self.w_orange2 + self.b_orange1)
        # C_t = f_t ⊙ C_{t-1} + i_t ⊙ C̃_t              the long memory
        updated_long_memory = long_memory * long_remember_percent + potential_remember_percent * potential_remember
        # o_t = σ(W_ox·x_t + W_oh·h_{t-1} + b_o)       how much of the long memory is passed on
        output_percent = torch.sigmoid(short_memory * self.w_purple1 + input_value * self.w_purple2 + self.b_purple1)
        # h_t = o_t ⊙ tanh(C_t)                        the short memory
        updated_short_memory = torch.tanh(updated_long_memory) * output_percent
        if record is not None:
            record.append({name: value for name, value in locals().items() if torch.is_tensor(value)})
        return [updated_long_memory, updated_short_memory]

    def forward(self, input, record=None):
        """Runs over input (time,) or (time, batch), any number of days; gives the last short memory, () or (batch,)."""
        wanted = "LSTMbyHand expected a floating-point tensor of finite numbers, (time,) or (time, batch), time at least 1"
        if not isinstance(input, torch.Tensor) or not input.is_floating_point():
            raise TypeError(f"{wanted}; got {getattr(input, 'dtype', type(input))}: write torch.as_tensor(input).float()")
        if input.dim() not in (1, 2) or len(input) == 0 or not torch.isfinite(input).all():
            raise ValueError(f"{wanted}; got {input} of shape {tuple(input.shape)}")
        long_memory = short_memory = torch.zeros_like(input[0])
        for input_value in input:
            long_memory, short_memory = self.lstm_unit(input_value, long_memory, short_memory, record)
        return short_memory

    @torch.no_grad()
    def trace(self, input):
        """Every named value of `lstm_unit` on every day: {name: tensor of the shape of input}."""
        record = []
        self(input, record)
        return {name: torch.stack([day[name] for day in record]) for name in record[0]}

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams["learning_rate"])

    def on_train_start(self):  # a checkpoint brings its own rate back: the constructor's argument decides
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.hparams["learning_rate"]

    def predict_step(self, batch):
        """Takes inputs (batch, time), or a list that starts with them; gives predictions (batch,)."""
        inputs = batch[0] if isinstance(batch, list | tuple) else batch
        if inputs.dim() != 2:
            raise ValueError(f"LSTMbyHand expected a batch of shape (batch, time); got shape {tuple(inputs.shape)}")
        return self(inputs.T)

    def loss(self, batch):
        """Takes [inputs (batch, time), labels (batch,)]; gives the mean squared error and the predictions (batch,)."""
        prediction, label = self.predict_step(batch), batch[1]
        if label.shape != prediction.shape or not torch.isfinite(label).all():
            raise ValueError(f"expected finite labels of {prediction.shape}; got {label} of {label.shape}")
        return ((prediction - label) ** 2).mean(), prediction

    def training_step(self, batch):
        loss, prediction = self.loss(batch)
        if (self.current_epoch + 1) % self.hparams["log_every_n_epochs"] == 0:
            self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(prediction))
            for name, chosen in (("out_0", batch[1] == 0), ("out_1", batch[1] != 0)):
                if chosen.any():
                    self.log(name, prediction[chosen].mean(), on_step=False, on_epoch=True, batch_size=int(chosen.sum()))
        return loss

    def validation_step(self, batch):
        self.log("test_loss" if self.trainer.testing else "val_loss", self.loss(batch)[0], batch_size=len(batch[0]))

    test_step = validation_step


# ==== Training ====
# They differ on the first day only: to know the fifth, the unit has to carry the first through the three between.
COMPANIES = {"A": ([0.0, 0.5, 0.25, 1.0], 0.0), "B": ([1.0, 0.5, 0.25, 1.0], 1.0)}


def companies(batch_size=1):
    """The two companies, A then B: a DataLoader of input (batch, time) and label (batch,)."""
    return DataLoader(TensorDataset(*map(torch.tensor, zip(*COMPANIES.values(), strict=True))), batch_size)


class Progress(ProgressBar):
    """One bar for all epochs; keeps last.ckpt beside the log; Ctrl-C ends the training after a whole epoch, twice at once."""

    def on_train_start(self, trainer, pl_module):
        self.bar = tqdm(total=trainer.max_epochs, initial=trainer.current_epoch, unit="epoch", mininterval=0.5)
        self.interrupted, self.handler = False, signal.signal(signal.SIGINT, self.on_interrupt)

    def on_interrupt(self, *_):
        self.interrupted = True
        signal.signal(signal.SIGINT, self.handler)

    def on_train_epoch_end(self, trainer, pl_module):
        self.bar.update()
        trainer.should_stop = self.interrupted
        if (done := trainer.current_epoch + 1) % 200 == 0 or done == trainer.max_epochs or self.interrupted:
            trainer.save_checkpoint(f"{trainer.log_dir}/last.ckpt")

    def on_train_end(self, trainer, pl_module):
        signal.signal(signal.SIGINT, self.handler)
        self.bar.close()


def trainer(epochs, folder="runs"):
    """A Lightning trainer for two rows of data; logs to folder/lightning_logs, TensorBoard where installed, else CSV."""
    warnings.filterwarnings("ignore", module="lightning")  # advice for larger data
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    kept = {"default_root_dir": folder, "callbacks": [Progress()], "enable_checkpointing": False}
    return L.Trainer(max_epochs=epochs, accelerator="cpu", enable_model_summary=False, **kept)


# ==== The command line ====
def show_predictions(model, when):
    for name, (prices, label) in COMPANIES.items():
        print(f"{when:7} company {name}: prediction {model(torch.tensor(prices)).item():7.4f}, label {label:.0f}")


def main():
    parser = argparse.ArgumentParser(description="Train the hand-made LSTM on two companies and show every gate of every day.")
    parser.add_argument("--epochs", type=int, default=300, help="in all, those of a resumed checkpoint included (300)")
    parser.add_argument("--learning-rate", type=float, help="Adam's step size (0.1, or that of the resumed checkpoint)")
    parser.add_argument("--seed", type=int, default=42, help="draws the untrained weights (42)")
    parser.add_argument("--resume", metavar="CHECKPOINT", help="go on from this file, kept by an earlier run")
    options = parser.parse_args()
    given = {} if options.learning_rate is None else {"learning_rate": options.learning_rate}
    if options.epochs < 1 or not 0 < given.get("learning_rate", 1) < float("inf") or not 0 <= options.seed < 2**32:
        parser.error(f"expected epochs of at least 1, a finite learning rate above 0, a seed below 4294967296; got {options}")
    L.seed_everything(options.seed, verbose=False)
    model = LSTMbyHand(log_every_n_epochs=10, **given)
    if options.resume:
        try:
            if zipfile.ZipFile(options.resume).testzip() is not None:  # torch.load does not look at its checksums
                raise ValueError("a number that is not as it was written")
            done = torch.load(options.resume, weights_only=True)["epoch"] + 1
            model = LSTMbyHand.load_from_checkpoint(options.resume, **given)
        except Exception as problem:  # noqa: BLE001 (whatever a damaged file makes zipfile and torch raise)
            parser.error(f"--resume {options.resume}: expected a whole last.ckpt of an earlier run, got {problem!r:.60}")
        if done >= options.epochs:
            parser.error(f"--resume {options.resume} has {done} epochs already: ask for more, say --epochs {done + 300}")
    show_predictions(model, "before")
    (run := trainer(options.epochs)).fit(model, companies(), ckpt_path=options.resume)
    show_predictions(model, "after")
    for company, (prices, _) in COMPANIES.items():
        print(f"\n{'company ' + company:28}" + "".join(f"     day {day + 1}" for day in range(len(prices))))
        for name, values in model.trace(torch.tensor(prices)).items():
            print(f"{name:28}" + "".join(f"{value:10.4f}" for value in values))
    see = "see it: " if find_spec("byhand") else "to see it: pip install byhand (in a clone of it: pip install .), then "
    print(f"\n{run.current_epoch} epochs; log and checkpoint in {run.log_dir}\n{see}byhand explore {run.log_dir}")
    if run.should_stop:
        print(f"stopped by Ctrl-C; to go on: python LSTM.py --resume {run.log_dir}/last.ckpt --epochs {options.epochs}")
        raise SystemExit(130)


if __name__ == "__main__":
    main()
