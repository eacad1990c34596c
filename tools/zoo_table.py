"""Writes the table of docs/zoo.md, and what is worth a look in each model, out of the cards of the zoo.

python tools/zoo_table.py            into docs/zoo.md
"""

from pathlib import Path

from byhand import zoo
from byhand.zoo.card import number

PAGE = Path(__file__).parents[1] / "docs" / "zoo.md"
BEGIN, END = "<!-- the table, by tools/zoo_table.py -->\n", "<!-- the end of the table -->\n"


def table() -> str:
    """Markdown: a row for each model, and a paragraph for each."""
    lines = ["| name | what | parameters | score | seeds | baselines |", "|---|---|---|---|---|---|"]
    cards = zoo.cards()
    for name, card in cards.items():
        seeds = ", ".join(f"{seed}: {number(value)}" for seed, value in card.seeds.items())
        beside = "; ".join(f"{who} {number(value)}" for who, value in card.baselines.items())
        score = f"{card.metric} **{number(card.score)}** ± {card.spread:g}"
        lines.append(f"| `{name}` | {card.title} | {card.parameters:,} | {score} | {seeds} | {beside} |")
    lines += ["", "What is worth a look, computed from the weights:", ""]
    lines += [f"- `{name}`: {card.look}" for name, card in cards.items()]
    return "\n".join(lines) + "\n"


def renewed(text: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
