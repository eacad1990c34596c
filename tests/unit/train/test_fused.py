"""Fused optimisers: where they are used and where not; the same training to rounding; earlier checkpoints go on."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.plugins.precision import DoublePrecision, HalfPrecision, MixedPrecision, Precision
from torch import nn, optim

from byhand.tasks import Adding
from byhand.train import SequenceModel, train
from byhand.train.model import optimisation
from byhand.train.model.one_thread import FEW
from byhand.train.model.optimisation import OPTIMISERS, make_optimiser

QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "limit_val_batches": 0,
    "use_distributed_sampler": False,
}


def made(name: str, *parameters: torch.Tensor, precision: Precision | None = None) -> optim.Optimizer:
    return make_optimiser(name, parameters, 0.01, 0.1, precision or Precision())


def is_fused(optimiser: optim.Optimizer) -> bool:
    return bool(optimiser.param_groups[0].get("fused"))


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fused_where_torch_has_a_kernel(name: str, dtype: torch.dtype) -> None:
    parameter = nn.Parameter(torch.ones(3, dtype=dtype))
    assert is_fused(made(name, parameter)) == (name != "rmsprop")
    assert is_fused(made(name, parameter, precision=DoublePrecision())) == (name != "rmsprop")


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize(
    ("parameter", "precision"),
    [
        (torch.ones(3, dtype=torch.bfloat16), HalfPrecision("bf16-true")),
        (torch.ones(3, dtype=torch.float16), HalfPrecision("16-true")),
        (torch.ones(3, device="meta"), Precision()),
        (torch.ones(3), MixedPrecision("bf16-mixed", "cpu")),
    ],
)
def test_not_fused_elsewhere(name: str, parameter: torch.Tensor, precision: Precision) -> None:
    """Where torch has no kernel, where it rounds otherwise, and where Lightning would refuse to clip."""
    assert not is_fused(made(name, torch.ones(3), parameter, precision=precision))


@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-mixed", "bf16-true"])
@pytest.mark.parametrize(
    "clipping", [{}, {"gradient_clip_val": 0.5}, {"gradient_clip_val": 0.1, "gradient_clip_algorithm": "value"}]
)
def test_every_precision_trains_with_clipped_gradients(precision: str, clipping: dict[str, Any]) -> None:
    model, outcome = train(
        Adding(8, batches=2, sequences=4), {"hidden_size": 4}, max_epochs=1, trainer={"precision": precision} | clipping
    )
    assert outcome.steps == 2
    assert all(bool(one.isfinite().all()) for one in model.parameters())


@pytest.mark.parametrize(("name", "closest"), [("adam", 1e-5), ("sgd", 1e-6), ("momentum", 1e-6)])
def test_the_same_training_to_rounding(name: str, closest: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels round an update, of up to 0.01 here, in another order: by a unit or two in its last place (2e-9), or in that of the
    parameter it is added to (6e-8). After thirty steps, in a training that is not chaotic yet, they are apart by no more than some times
    the sum of that; Adam's quotients of small numbers make it more.
    """

    def trained() -> list[torch.Tensor]:
        settings = {"hidden_size": 8, "optimiser": name, "weight_decay": 0.01, "learning_rate": 0.01}
        model, _ = train(Adding(8, batches=30, sequences=4), settings, max_epochs=1)
        return [one.detach() for one in model.parameters()]

    fused = trained()
    monkeypatch.setattr(optimisation, "FUSED", ())
    plain = trained()
    assert max(float((one - other).abs().max()) for one, other in zip(fused, plain, strict=True)) <= closest


def fitted(folder: Path, epochs: int, resume: str | None = None) -> tuple[L.Trainer, SequenceModel]:
    L.seed_everything(3, verbose=False)
    task = Adding(8, batches=5, sequences=4)
    model = SequenceModel(task.form._asdict(), hidden_size=4)
    trainer = L.Trainer(max_epochs=epochs, **QUIET)
    trainer.fit(model, datamodule=task, ckpt_path=resume)
    trainer.save_checkpoint(folder / f"{epochs}.ckpt")
    return trainer, model


def test_a_checkpoint_of_an_optimiser_that_was_not_fused_goes_on_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit as if nothing had changed since; and a fused one as if it had never stopped."""
    with monkeypatch.context() as earlier:
        earlier.setattr(optimisation, "FUSED", ())
        fitted(tmp_path, 1)
        _, wanted = fitted(tmp_path / "plain", 2)
    trainer, gone_on = fitted(tmp_path / "gone_on", 2, str(tmp_path / "1.ckpt"))
    assert not is_fused(trainer.optimizers[0])
    assert all(torch.equal(one, other) for one, other in zip(gone_on.parameters(), wanted.parameters(), strict=True))

    fitted(tmp_path / "fused", 1)
    _, wanted = fitted(tmp_path / "fused", 2)
    trainer, gone_on = fitted(tmp_path / "again", 2, str(tmp_path / "fused" / "1.ckpt"))
    assert is_fused(trainer.optimizers[0])
    assert all(torch.equal(one, other) for one, other in zip(gone_on.parameters(), wanted.parameters(), strict=True))


@pytest.mark.parametrize(("numbers", "threads"), [(3, 1), (FEW + 1, 2)])
@pytest.mark.parametrize("way", ["closure", "positional", "none"])
def test_few_numbers_are_changed_on_one_thread(numbers: int, threads: int, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The closure runs on all; and so does all that comes after the step."""
    seen: list[int] = []
    real = torch._fused_adamw_  # type: ignore[attr-defined]

    def noted(*arguments: Any, **named: Any) -> None:
        seen.append(torch.get_num_threads())
        real(*arguments, **named)

    monkeypatch.setattr(torch, "_fused_adamw_", noted)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        parameter = nn.Parameter(torch.ones(numbers))
        optimiser = made("adam", parameter)

        def closure() -> torch.Tensor:
            seen.append(torch.get_num_threads())
            parameter.grad = torch.ones(numbers)
            return parameter.sum()

        if way == "none":
            closure()
        loss = {"closure": lambda: optimiser.step(closure=closure), "positional": lambda: optimiser.step(closure)}.get(
            way, optimiser.step
        )()
        assert seen == [2, threads]
        assert torch.get_num_threads() == 2
        assert (loss is None) == (way == "none")
    finally:
        torch.set_num_threads(before)


def test_what_an_optimiser_keeps_loads_both_ways() -> None:
    """Of a fused one into one that is not, as in mixed precision, and back: the moments are the same, to the bit."""
    parameter = nn.Parameter(torch.ones(3))
    parameter.grad = torch.tensor([1.0, -2.0, 0.5])
    fused, plain = made("adam", parameter), OPTIMISERS["adam"]([parameter], 0.01, 0.1)
    fused.step()
    kept = copy.deepcopy(fused.state_dict())
    plain.load_state_dict(kept)
    for name, value in kept["state"][0].items():
        assert torch.equal(plain.state_dict()["state"][0][name], value), name
    plain.step()
    assert int(plain.state_dict()["state"][0]["step"]) == 2
