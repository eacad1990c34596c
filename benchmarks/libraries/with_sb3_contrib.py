"""sb3-contrib's RecurrentPPO: 256 steps of CartPole, resets where episodes end."""

from collections.abc import Iterator

import same
from sb3_contrib import RecurrentPPO  # type: ignore[import-not-found]
from torch import Tensor


def train(shared: bool) -> same.Training:
    def run(swap: same.Swap) -> Iterator[Tensor]:
        options = {"lstm_hidden_size": 16, "enable_critic_lstm": not shared, "shared_lstm": shared}
        agent = RecurrentPPO(
            "MlpLstmPolicy", "CartPole-v1", n_steps=64, batch_size=32, n_epochs=2, seed=0, device="cpu", policy_kwargs=options
        )
        swap(agent.policy)
        agent.learn(256)
        yield from agent.policy.parameters()

    return run


def cases() -> Iterator[same.Row]:
    for shared in (False, True):
        what = f"RecurrentPPO, CartPole, {'one LSTM' if shared else 'two LSTMs'}, 16 updates, float32"
        yield from same.rows("sb3-contrib", what, train(shared))


if __name__ == "__main__":
    same.write(cases())
