"""A layer in a folder: config.json, model.safetensors and a model card."""

from byhand.nn.pretrained.pretrained import load, save

__all__ = ["load", "save"]
