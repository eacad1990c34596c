"""Opacus and byhand's layers: refused when Opacus takes the model, not in its first backward."""

from __future__ import annotations

from typing import NoReturn


class NoPerSampleGradient:
    """The attribute that Opacus sets on a layer when it prepares to differentiate it sample by sample; setting it says what to do.

    Opacus multiplies a layer's one output with one gradient. Ours gives outputs and states, and is given states, of which Opacus
    would see neither, so that what it computed would not be the gradient.
    """

    def __set__(self, layer: object, value: object) -> NoReturn:
        raise NotImplementedError(
            f"Opacus cannot take byhand.{type(layer).__name__} apart sample by sample: write make_private(...,"
            " grad_sample_mode='no_op') and compute the gradients with torch.func (docs/libraries.md), or byhand.convert(model,"
            " back=True), then opacus.validators.ModuleValidator.fix(model)"
        )

    def __get__(self, layer: object, owner: type) -> NoReturn:
        raise AttributeError("ft_compute_sample_grad")
