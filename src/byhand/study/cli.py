"""byhand study run, status and report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from byhand.errors import StudyError
from byhand.study import report
from byhand.study.status import view
from byhand.study.study import Study, load

HELP = {
    "run": "run what is not done yet; again to go on",
    "status": "how far it is, how fast it goes, what failed",
    "report": "tables, results.csv, report.md and pictures in the study's folder",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise StudyError(f"study: {message}; see byhand study --help")


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 if all went well, 1 if runs failed, 2 for what cannot be meant, 130 after Ctrl-C."""
    try:
        words = _parser().parse_args(arguments)
        if words.command == "run":
            here = str(Path.cwd())
            if here not in sys.path:  # cells and tasks of one's own: module:name, module.Class
                sys.path.insert(0, here)
            return _run(load(words.file, folder=words.folder), words.workers, words.threads)
        study = load(words.file, folder=words.folder, imports=False)
        return _status(study) if words.command == "status" else _report(study)
    except StudyError as error:
        print(f"byhand: {error}", file=sys.stderr)
        return 2


def _run(study: Study, workers: int, threads: int) -> int:
    now = study.run(workers=workers, threads=threads)
    print(now.line)
    for label, message, times in now.failed:
        print(f"failed {times} time{'s' * (times > 1)}: {label}: {message}")
    if now.complete:
        print(f"its tables and pictures: {study.command('report')}")
        return 0
    again = study.command("run") + f" --workers {workers}" * (workers > 1) + f" --threads {threads}" * (threads > 1)
    if study.stopped:
        print(f"byhand: stopped; to go on: {again}", file=sys.stderr)
        return 130
    for task, variant in now.hopeless:
        print(f"byhand: {task}, {variant}: no trial of the search succeeded, so that nothing could be chosen", file=sys.stderr)
    without = sum(sum(now.counts[pair].values()) for pair in now.hopeless)
    if len(now.failed) < now.total.total() - now.total["done"] - without:
        print(f"byhand: the workers ended early; what they said is in {study.folder / 'workers.log'}", file=sys.stderr)
    elif any(times > study.specification.retries for _, _, times in now.failed):
        print(
            f"byhand: what failed {study.specification.retries + 1} times is not tried again unless retries is raised",
            file=sys.stderr,
        )
    return 1


def _status(study: Study) -> int:
    now = study.status()
    Console().print(view(now))
    if not now.complete and not now.total["running"]:
        print(f"nothing runs; to go on: {study.command('run')}")
    return 0


def _report(study: Study) -> int:
    files = study.report()
    console = Console()
    for task, rows in study.compared().items():
        if rows:
            console.print(report.table(task, rows, study.specification.tasks[task]))
            tested = [row for row in rows if row.p is not None]
            if tested:
                console.print(report.method(study.specification.base, tested), highlight=False)
    print(study.status().line)
    for file in files:
        print(file)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="byhand study",
        description="Variants x tasks x seeds as a queue that outlives its workers. The file: docs/studies.md.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="run | status | report", parser_class=_Parser)
    for name, text in HELP.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("file", type=Path, help="the study, a YAML file")
        command.add_argument("--folder", type=Path, help="where its queue and report are kept; runs/studies/NAME if not given")
        if name == "run":
            command.add_argument("--workers", type=int, default=1, help="processes (1)")
            command.add_argument("--threads", type=int, default=1, help="torch threads of each; results may depend on it (1)")
    return parser
