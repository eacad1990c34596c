"""Small trained models, each with a card that says how good it is and how to make it again."""

from byhand.zoo.card import Card
from byhand.zoo.files import cards, load, names
from byhand.zoo.model import ZooModel

__all__ = ["Card", "ZooModel", "cards", "load", "names"]
