"""The pages of the command line and of the configurations: what each parser says of itself, and each file's one line."""

from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path
from unittest import mock

import yaml

from byhand.__main__ import COMMANDS, main
from tools.website.places import ROOT

WIDTH = "88"
SUBCOMMANDS = {"study": ("run", "status", "report"), "zoo": ("", "make")}
LONG = 12  # lines of usage; beyond that the options below say the same


def names() -> list[str]:
    """Every command, and what stands below it."""
    return [" ".join([name, more]).strip() for name in COMMANDS for more in SUBCOMMANDS.get(name, ("",))]


def help_of(command: str) -> str:
    """What it prints with --help. RuntimeError if it prints nothing."""
    said = io.StringIO()
    with (
        mock.patch.dict(os.environ, {"COLUMNS": WIDTH, "NO_COLOR": "1", "TERM": "dumb"}),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(refused := io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        main([*command.split(), "--help"])
    if "takes no arguments" in refused.getvalue():
        return f"usage: byhand {command}"
    text = "\n".join(line.rstrip() for line in said.getvalue().strip().splitlines()).replace(str(Path.home()), "~")
    text = re.sub(r"<function (\w+) at 0x\w+>", r"\1", "".join(one for one in text if one == "\n" or one.isprintable()))
    if not text:
        raise RuntimeError(f"byhand {command} --help: expected its options, got nothing")
    usage, _, rest = text.partition("\n\n")
    return f"usage: byhand {command} [options]\n\n{rest}" if usage.count("\n") >= LONG else text


def pages() -> dict[str, str]:
    """reference/commands, and a page for each command."""
    rows = [f"| {{doc}}`byhand {name} </reference/commands/{file(name)}>` | {summary(name)} |" for name in names()]
    index = [
        "# The command line",
        "`byhand COMMAND ...`, or `python -m byhand COMMAND ...`.",
        "\n".join(["| command | what it does |", "|---|---|", *rows]),
    ]
    toctree = "\n".join(["```{toctree}", ":hidden:", "", *(f"commands/{file(name)}" for name in names()), "```"])
    made = {"reference/commands": "\n\n".join([*index, toctree]) + "\n"}
    for name in names():
        made[f"reference/commands/{file(name)}"] = f"# byhand {name}\n\n{summary(name)}\n\n````text\n{help_of(name)}\n````\n"
    return made


def file(command: str) -> str:
    return command.replace(" ", "-")


def summary(command: str) -> str:
    """The line of byhand --help, the example in it as code."""
    text = COMMANDS[command.split(maxsplit=1)[0]][0]
    return re.sub(r"(?<=: )(byhand [^;]+)", r"`\1`", text)


def configurations() -> Path:
    """The folder of the configurations."""
    return ROOT / "src" / "byhand" / "configs"


def configs() -> str:
    """The page reference/configs: each file's first line, and the file."""
    folder = configurations()
    rows, blocks = [], []
    for path in sorted(folder.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        line = text.splitlines()[0].removeprefix("#").strip() if text.startswith("#") else ""
        described = re.sub(r":? docs/tasks/(\w+)\.md", r" ({doc}`task </tasks/\1>`)", line)
        rows.append(f"| [{path.stem}](#{path.stem}) | {described} | {task(text)} |")
        quick = folder / "quick" / path.name
        shorter = f"`--quick` changes:\n\n```yaml\n{quick.read_text(encoding='utf-8').strip()}\n```" if quick.is_file() else ""
        blocks += [f"({path.stem})=\n## {path.stem}", described, f"```yaml\n{text.strip()}\n```", shorter]
    table = "\n".join(["| configuration | what it trains | task |", "|---|---|---|", *rows])
    command = (
        f"`byhand fit --config {(folder / 'adding.yaml').relative_to(ROOT).as_posix() if folder.parent == ROOT else 'adding'}`"
    )
    opening = f"A training a task, each from half a minute to two on two cores: {command}; `--quick` makes it short."
    return "\n\n".join(["# Configurations", opening, table, *filter(None, blocks)]) + "\n"


def task(text: str) -> str:
    content = yaml.safe_load(text)
    data = content.get("data") if isinstance(content, dict) else None
    name = str(data.get("class_path", "") if isinstance(data, dict) else data or "").rpartition(".")[2]
    return f"{{py:class}}`~byhand.tasks.{name}`" if name else ""
