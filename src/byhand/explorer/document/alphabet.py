"""The symbols that a model reads and the input that each of them is: with these the page runs the model on a text that was typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from byhand.explorer.document.packing import packed, size
from byhand.explorer.document.sequences import of_item

if TYPE_CHECKING:
    from byhand.explorer.document.recording import Recording
    from byhand.explorer.document.sequences import Item

OTHER = "other"  # what models of byhand fit call the symbol that stands for all that they do not know
LARGEST = 500_000  # characters of the vectors of all symbols; of more, those that were seen are kept
Table = tuple[list[str], Tensor | None]  # symbols, and (symbols, inputs); None: one-hot


def alphabet_document(
    model: object,
    recording: Recording,
    items: Sequence[Item],
    features: Sequence[str] | None,
    names: Sequence[str] | None,
) -> dict[str, Any] | None:
    """The alphabet of a model that reads text; None where it reads none, or one symbol comes in as two different inputs.

    Args:
        model: what was shown; its embeddings are looked at.
        recording: its run.
        items: the sequences, with the symbols that stand at their steps.
        features: names of the inputs; the symbols, where they are one-hot.
        names: names of the head's outputs; the symbols, where it says which one comes next.

    Returns:
        symbols, the number of the one that stands for all others (or None), and their vectors (symbols, inputs), packed; None: one-hot.
    """
    seen = rows_seen(recording, items)
    if not seen:
        return None
    for symbols, vectors in tables(model, len(next(iter(seen.values()))), features, names):
        if vectors is not None and size(vectors.numel()) > LARGEST:
            continue
        other = symbols.index(OTHER) if OTHER in symbols else None
        if fits(seen, symbols, vectors, other):
            return {"symbols": symbols, "other": other, "vectors": None if vectors is None else packed(vectors)}
    symbols = sorted(seen)
    return {"symbols": symbols, "other": None, "vectors": packed(torch.stack([seen[one] for one in symbols]))}


def rows_seen(recording: Recording, items: Sequence[Item]) -> dict[str, Tensor]:
    """Symbol -> the input that it was; nothing where one was two, or a sequence has no symbols."""
    first = recording.trace.input(recording.places[0])
    found: dict[str, Tensor] = {}
    for item in items:
        if item.characters is None:
            return {}
        rows = of_item(first, item).detach().cpu()
        numbers = {symbol: number for number, symbol in enumerate(dict.fromkeys(item.characters))}
        order = torch.tensor([numbers[symbol] for symbol in item.characters])
        firsts = torch.tensor([item.characters.index(symbol) for symbol in numbers])
        if not torch.equal(rows[firsts][order], rows):
            return {}
        for symbol, at in zip(numbers, firsts.tolist(), strict=True):
            if not torch.equal(found.setdefault(symbol, rows[at]), rows[at]):
                return {}
    found.pop("", None)  # behind the end of a sequence
    return found


def tables(model: object, width: int, features: Sequence[str] | None, names: Sequence[str] | None) -> Iterator[Table]:
    """What the inputs may be: one-hot, in the order of the features' names or the outputs'; or an embedding, one for each output."""
    for words in (features, names):
        if words is not None and len(words) == width and len(set(words)) == width:
            yield list(words), None
    if names is None or len(set(names)) < len(names) or not isinstance(model, nn.Module):
        return
    for module in model.modules():
        if isinstance(module, nn.Embedding) and module.weight.shape == (len(names), width):
            yield list(names), module.weight.detach().cpu()


def fits(seen: Mapping[str, Tensor], symbols: Sequence[str], vectors: Tensor | None, other: int | None) -> bool:
    """Whether each symbol that was seen came in as this table has it."""
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    for symbol, row in seen.items():
        number = numbers.get(symbol, other)
        if number is None or not torch.equal(row, one_hot(number, row) if vectors is None else vectors[number].to(row.dtype)):
            return False
    return True


def one_hot(number: int, like: Tensor) -> Tensor:
    return torch.zeros_like(like).index_fill(0, torch.tensor(number), 1.0)
