"""torchrl's LSTMModule: whole rollouts with resets in their middle, and one step at a time."""

from collections.abc import Iterator

import same
import torch
from tensordict import TensorDict  # type: ignore[import-not-found]
from torch import Tensor, nn
from torchrl.modules import LSTMModule, set_recurrent_mode  # type: ignore[import-not-found]


def module(layers: int) -> LSTMModule:
    made = LSTMModule(lstm=nn.LSTM(3, 8, layers, batch_first=True), in_key="observation", out_key="features")
    return made.double()


def rollout(layers: int, *, resets: bool) -> TensorDict:
    states = torch.zeros(4, 10, layers, 8, dtype=torch.float64)
    starts = torch.zeros(4, 10, 1, dtype=torch.bool)
    starts[:, 0] = True
    if resets:
        starts[0, 3] = starts[1, 5] = starts[1, 8] = starts[3, 9] = True
    observation = torch.randn(4, 10, 3, dtype=torch.float64)
    return TensorDict(
        {"observation": observation, "is_init": starts, "recurrent_state_h": states, "recurrent_state_c": states.clone()},
        [4, 10],
    )


def whole(layers: int, *, resets: bool) -> same.Training:
    def run(swap: same.Swap) -> Iterator[Tensor]:
        model, given = module(layers), rollout(layers, resets=resets)
        swap(model)
        optimiser = torch.optim.Adam(model.parameters(), 0.01)
        for _ in range(10):
            optimiser.zero_grad()
            with set_recurrent_mode(True):
                found = model(given.clone())
            found["features"].square().mean().backward()
            optimiser.step()
            yield found["features"]
            yield found["next", "recurrent_state_c"]
        yield from model.parameters()

    return run


def steps(swap: same.Swap) -> Iterator[Tensor]:
    model, given = module(1), rollout(1, resets=True)
    swap(model)
    states = {"recurrent_state_h": given["recurrent_state_h"][:, 0], "recurrent_state_c": given["recurrent_state_c"][:, 0]}
    for time in range(10):
        now = TensorDict({"observation": given["observation"][:, time], "is_init": given["is_init"][:, time], **states}, [4])
        with torch.no_grad():
            found = model(now)
        states = {name: found["next", name] for name in states}
        yield found["features"]


def cases() -> Iterator[same.Row]:
    # It sorts the sequences by whether the layer is an nn.LSTM; a layer that is none is given a mask.
    refusal = {"convert": "unexpected keyword argument 'mask'"}
    for layers in (1, 2):
        what = f"LSTMModule, {layers} layers, resets in mid-sequence, 10 steps"
        yield from same.rows("torchrl", what, whole(layers, resets=True), refusal=refusal)
    yield from same.rows("torchrl", "LSTMModule, no resets, 10 steps", whole(1, resets=False))
    yield from same.rows("torchrl", "LSTMModule, step by step", steps)


if __name__ == "__main__":
    same.write(cases())
