"""Runs a notebook from top to bottom, showing which cell is at work, and writes the result whole or not at all.

    python tools/notebook.py main.ipynb --html runs/main.html     a page to look at; the notebook stays as it is
    python tools/notebook.py main.ipynb --keep                    the notebook itself, with fresh outputs
    python tools/notebook.py main.ipynb --without-answers class.ipynb       for a class: the notebook without what is folded in
    python tools/notebook.py main.ipynb --with-answers teacher.ipynb        for its teacher: every exercise solved in its cell

An exercise is a cell named "exercise-N"; its lines up to the first empty one are the reader's, the rest checks them. Its solution is the
first block of Python after the words "Exercise N" in what is folded in.
A cell tagged "source:FILE" carries a copy of FILE, for places where the notebook stands alone; --keep renews the copy.
A cell tagged "picture:FILE" makes a picture; --keep stores it there too. The code of "hide-input" cells is not on the page.
"""

import argparse
import base64
import logging
import mimetypes
import os
import re
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

# Where this package is, jsonschema builds 39 grammars for kinds of web addresses, which takes a second; no notebook has one to check.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

import nbformat  # noqa: E402
from nbclient import NotebookClient  # noqa: E402
from nbclient.exceptions import CellExecutionError, DeadKernelError  # noqa: E402
from nbconvert import HTMLExporter  # noqa: E402
from nbconvert.preprocessors import CoalesceStreamsPreprocessor  # noqa: E402
from tqdm import tqdm  # noqa: E402
from traitlets.config import Config  # noqa: E402

COPY = """\
# @title LSTM.py, whole (written beside this notebook only where it is missing, as in Colab)
from pathlib import Path

SOURCE = r\'\'\'{source}\'\'\'
if not Path("LSTM.py").exists():
    Path("LSTM.py").write_text(SOURCE, encoding="utf-8")"""

WIDGET = "application/vnd.jupyter.widget-view+json"


def tagged(notebook: nbformat.NotebookNode, kind: str) -> list[tuple[nbformat.NotebookNode, Path]]:
    """The cells with a tag "kind:FILE", and the file."""
    return [
        (cell, Path(tag.split(":", 1)[1]))
        for cell in notebook.cells
        for tag in cell.metadata.get("tags", [])
        if tag.startswith(f"{kind}:")
    ]


FOLDED = re.compile(r"\n*<details>.*?</details>[^\S\n]*", re.DOTALL)
SOLUTION = re.compile(r"Exercise (\d+)\b(?:(?!Exercise \d).)*?```python\n(.*?)```", re.DOTALL)
PICTURE = re.compile(r"(!\[[^\]]*\]\()([^)\s]+)")


def with_pictures(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Put the pictures that texts show into them. nbconvert's own embed_images closes every <details> straight after its summary."""

    def embedded(match: re.Match[str]) -> str:
        file = folder / match[2]
        if not file.is_file():
            return match[0]
        kind = mimetypes.guess_type(file.name)[0] or "image/png"
        return f"{match[1]}data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = PICTURE.sub(embedded, cell.source)
    return notebook


MATHS = re.compile(r"(?P<code>```.*?```|`[^`\n]*`)|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^\s$](?:[^$\n]*[^\s$])?)\$", re.DOTALL)


def with_formulas(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Put MathML in place of $LaTeX$: browsers draw it by themselves, where nbconvert's page would ask a server for MathJax.

    Raises:
        ValueError: a formula that latex2mathml does not know all of, such as aligned: write array.
    """
    from latex2mathml.converter import convert  # noqa: PLC0415 (only a page needs it)

    def drawn(match: re.Match[str]) -> str:
        if match["code"]:
            return match["code"]
        formula = match["block"] or match["inline"]
        made = convert(formula, display="block" if match["block"] else "inline")
        try:
            known = not any("\\" in text for text in ElementTree.fromstring(made).itertext())
        except ElementTree.ParseError:  # it leaves & as it stands where it knows of no columns
            known = False
        if not known:
            raise ValueError(f"expected LaTeX that latex2mathml knows, got {formula}")
        return made

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = MATHS.sub(drawn, cell.source)
    return notebook


def without_answers(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Without what is folded in, and without cells that hold nothing else."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = FOLDED.sub("", cell.source).strip("\n")
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
    return notebook


def with_answers(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """With the solution of every exercise in its cell. ValueError for an exercise without one."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    folded = "\n".join(block for text in texts for block in FOLDED.findall(text))
    solutions = {f"exercise-{number}": code.strip() for number, code in SOLUTION.findall(folded)}
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.id.startswith("exercise-"):
            if cell.id not in solutions:
                raise ValueError(f"{cell.id} has no solution: expected a block of Python after the words Exercise N, folded in")
            cell.source = "\n\n".join([solutions[cell.id], *cell.source.split("\n\n", 1)[1:]])
            cell.outputs, cell.execution_count = [], None
    return notebook


EDITIONS = {"without_answers": without_answers, "with_answers": with_answers}


def execute(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Run every cell in that folder; raises CellExecutionError at the first that fails."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    with tqdm(total=len(code), unit="cell", desc="notebook") as bar, tempfile.TemporaryDirectory() as place:
        client = NotebookClient(
            notebook,
            timeout=600,
            startup_timeout=300,  # of a machine that is busy
            resources={"metadata": {"path": str(folder)}},
            # The kernel listens on no network port, but on files, which both find: a kernel works in the notebook's folder.
            config=Config({"KernelManager": {"transport": "ipc", "ip": str(Path(place) / "kernel")}}),
            record_timing=False,
            store_widget_state=False,
            shutdown_kernel="immediate",
            on_cell_executed=lambda **_: bar.update(),
        )
        client.execute()
    notebook, _ = CoalesceStreamsPreprocessor().preprocess(notebook, {})
    for cell in code:  # a bar that closes leaves an empty line behind; a widget lives in a running notebook only
        cell.outputs = [
            output
            for output in cell.outputs
            if output.get("text", "something").strip() and WIDGET not in output.get("data", {})
        ]
    return notebook


def write(path: Path, content: bytes) -> None:
    """Whole or not at all: into a file beside it, which then takes its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def keep(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Write the notebook with its outputs, and the pictures that its tags name."""
    for cell, file in tagged(notebook, "picture"):
        pictures = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
        write(path.parent / file, base64.b64decode(pictures[0]))
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    write(path, (nbformat.writes(notebook) + "\n").encode())


def write_editions(path: Path, editions: dict[str, Path]) -> None:
    """Each edition into its file. ValueError, with nothing written over."""
    for name, file in editions.items():
        if file.resolve() == path.resolve():
            raise ValueError(f"--{name.replace('_', '-')}: expected a new file, got {file} itself")
    for name, file in editions.items():
        made = EDITIONS[name](nbformat.read(path, as_version=4))
        write(file, (nbformat.writes(made) + "\n").encode())
        print(f"wrote {file}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a notebook from top to bottom and write the result.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the result as a page")
    parser.add_argument("--keep", action="store_true", help="write the outputs into the notebook itself")
    parser.add_argument(
        "--without-answers", type=Path, metavar="FILE", help="write the notebook, not run, without its answers and solutions"
    )
    parser.add_argument(
        "--with-answers", type=Path, metavar="FILE", help="write the notebook, not run, with every exercise solved in its cell"
    )
    options = parser.parse_args()
    if not options.notebook.is_file():
        parser.error(f"expected a notebook, got {options.notebook}: no such file")
    editions = {name: file for name in EDITIONS if (file := getattr(options, name))}
    if not (options.html or options.keep or editions):
        parser.error("expected --html FILE, --keep, --without-answers FILE or --with-answers FILE: where should the result go?")
    try:
        write_editions(options.notebook, editions)
    except ValueError as problem:
        parser.error(str(problem))
    if not (options.html or options.keep):
        return
    notebook = nbformat.read(options.notebook, as_version=4)
    folder = options.notebook.resolve().parent
    if options.keep:
        for cell, file in tagged(notebook, "source"):
            cell.source = COPY.format(source=(folder / file).read_text(encoding="utf-8"))
    try:
        notebook = execute(notebook, folder)
    except CellExecutionError as failure:
        sys.exit(f"{options.notebook} failed, nothing was written:\n{failure}")
    except (KeyboardInterrupt, DeadKernelError, AssertionError):  # how nbclient ends when Ctrl-C takes its kernel away
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # of tasks left behind by it
        print("\nthe notebook was stopped, nothing was written", file=sys.stderr)
        sys.exit(130)
    if options.keep:
        keep(options.notebook, notebook)
    if options.html:
        shown = Config({"TagRemovePreprocessor": {"enabled": True, "remove_input_tags": {"hide-input"}}})
        exporter = HTMLExporter(mathjax_url="", require_js_url="", config=shown)  # needs no network
        page, _ = exporter.from_notebook_node(
            with_formulas(with_pictures(notebook, folder)), {"metadata": {"name": "byhand: an LSTM you can see through"}}
        )
        write(options.html, page.encode())
        print(f"wrote {options.html}")


if __name__ == "__main__":
    main()
