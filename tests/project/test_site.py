"""The site's sources: every public name, command, configuration, cell and document has its place. The built site: tests/site."""

import importlib
import inspect
import json
import re
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pytest
from conftest import ROOT

from byhand import cells
from tools.website import check, commands, reference, stage
from tools.website.docstrings import as_rst
from tools.website.places import Links, documents, page_of

PUBLIC = (ROOT / "tests/earlier/public.txt").read_text(encoding="utf-8").splitlines()
MOVED = {"byhand.stepper.": "byhand.nn.stepper."}
NOW = {"Gates": "GateMonitor", "Reached": "StopWhen", "Diverged": "StopOnNaN"}  # callbacks, which keep their earlier names


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    """File of the site's source -> its text."""
    return stage.Stage().sources()


def public_names() -> set[str]:
    names = {line for line in PUBLIC if line.startswith("byhand.") and " " not in line}
    for before, now in MOVED.items():
        names = {name.replace(before, now) for name in names}
    return {re.sub(rf"callbacks\.({'|'.join(NOW)})$", lambda match: f"callbacks.{NOW[match[1]]}", name) for name in names}


def words_of(name: str) -> str:
    """The docstring of a public name, by its full name."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            value = inspect.getattr_static(value, part) if inspect.isclass(value) else getattr(value, part)
        value = getattr(value, "__func__", getattr(value, "func", value))
        return inspect.getdoc(value) or ""
    raise ModuleNotFoundError(name)


def test_the_reference_has_every_public_name() -> None:
    found = set(reference.documented())
    fields = {
        name
        for name in public_names() - found
        if re.search(rf"^ *{name.rpartition('.')[2]}(?:, \w+)*:", words_of(name.rpartition(".")[0]), re.MULTILINE)
    }  # described with their class
    modules = {name for name in public_names() if name in reference.modules()}
    assert public_names() - found - fields - modules == set()


def test_every_name_of_the_reference_says_what_it_is() -> None:
    values = {f"byhand.cells.{name}" for name in cells.__all__ if isinstance(getattr(cells, name), cells.Cell)}
    silent = [name for name in reference.documented() if name not in values and not words_of(name)]
    assert not silent, f"without a docstring: {silent}"


def test_every_name_of_the_reference_is_on_a_page(sources: dict[str, str]) -> None:
    text = "\n".join(text for name, text in sources.items() if name.startswith("reference/"))
    for listed in reference.names().values():
        for one in listed:
            assert re.search(rf"(:: |_|`){re.escape(one.name)}\b", text), one.name


def test_every_option_is_on_its_command_s_page(sources: dict[str, str]) -> None:
    lines = [line.split() for line in PUBLIC if line.startswith("byhand ") and " --data " not in f"{line[: line.rfind('--')]} "]
    assert len(lines) > 50
    for _, *command, option in lines:
        assert option in sources[f"reference/commands/{'-'.join(command)}.md"], (command, option)
    assert not re.search(
        r"0x[0-9a-f]{6}", "".join(sources[f"{page}.md"] for page in commands.pages())
    )  # the same at every build


def test_every_configuration_has_its_line(sources: dict[str, str]) -> None:
    page = sources["reference/configs.md"]
    files = [*commands.configurations().glob("*.yaml")]
    assert len(files) > 10
    for path in files:
        assert re.search(
            rf"^\| \[{path.stem}\]\(#{path.stem}\) \| \w.+ \| \{{py:class\}}`~byhand\.tasks\.\w+` \|$", page, re.MULTILINE
        )


def test_every_cell_has_its_equations_and_a_live_unit(sources: dict[str, str]) -> None:
    page = sources["reference/cells.md"]
    for name in cells.__all__:
        value = getattr(cells, name)
        if inspect.isclass(value):
            continue
        section = page.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
        assert f'data-live="../live/cells/{name}.html"' in section, name
        if isinstance(value, cells.Cell):
            assert "```text\n" + "\n".join(value.equations()) + "\n```" in section


def test_every_document_is_a_page(sources: dict[str, str]) -> None:
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert there <= set(documents())
    for file, page in documents().items():
        assert f"{page}{'.ipynb' if file.endswith('.ipynb') else '.md'}" in sources


def contents(text: str) -> list[str]:
    """The entries of a page's tables of contents."""
    blocks = re.findall(r"^```\{toctree\}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    return [re.sub(r".*<(.*)>$", r"\1", line) for line in lines]


def test_every_page_is_reached_from_the_first(sources: dict[str, str]) -> None:
    pages = {str(PurePosixPath(name).with_suffix("")): text for name, text in sources.items()}
    orphans = {name for name, text in pages.items() if text.startswith("---\norphan: true")}
    reached, waiting = set[str](), ["index"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for entry in contents(pages[page]):
            full = entry.removeprefix("/") if entry.startswith("/") else str(PurePosixPath(page).parent / entry)
            found = [one for one in pages if fnmatch(one, full)] if "*" in full else [full]
            assert all(one in pages for one in found), f"{page}: {entry}"
            waiting += found
    assert set(pages) - orphans - reached == set()


def test_a_pattern_that_nothing_fits_is_left_out() -> None:
    text = "# Learn\n\n```{toctree}\n:glob:\n\nlesson\n*\n```\n"
    assert "*" not in stage.without_empty(text, "learn/index.md", ["learn/index.md", "learn/lesson.md", "other.md"])
    assert "\n*\n" in stage.without_empty(text, "learn/index.md", ["learn/index.md", "learn/lesson.md", "learn/1-one.ipynb"])


def test_links_lead_to_pages() -> None:
    links = Links(documents(), None)
    text = "[a](../LSTM.py), [b](tasks/adding.md#run-it), [c](../src/byhand/configs), `[d](x.md)`, [e](https://example.org), [f](#here)"
    assert links.rewritten(text, "docs/training.md", "guides/training") == (
        "[a](../learn/lesson.md), [b](../tasks/adding.md#run-it), [c](../reference/configs.md), `[d](x.md)`,"
        " [e](https://example.org), [f](#here)"
    )
    assert (
        links.rewritten("![p](pictures/day.png)", "docs/gallery.md", "gallery/figures")
        == "![p](../pictures/docs/pictures/day.png)"
    )
    assert links.pictures == {"docs/pictures/day.png"}
    fenced = "```\n[a](nowhere.md)\n```"
    assert links.rewritten(fenced, "docs/training.md", "guides/training") == fenced


def test_a_file_without_a_page_is_shown_or_linked_on_the_web() -> None:
    text, file, page = "[code](../src/byhand/nn/lstm.py)", "docs/training.md", "guides/training"
    here = Links(documents(), None)
    assert here.rewritten(text, file, page) == "[code](../source/src/byhand/nn/lstm.py.md)"
    assert here.files == {"src/byhand/nn/lstm.py"}
    web = Links(documents(), "https://example.org/byhand")
    assert web.rewritten(text, file, page) == "[code](https://example.org/byhand/blob/main/src/byhand/nn/lstm.py)"
    assert not web.files
    with pytest.raises(
        ValueError, match=r"docs/training\.md: expected a link to something in the repository, got \.\./gone\.md"
    ):
        here.rewritten("[gone](../gone.md)", file, page)


def test_pages_have_one_place_each() -> None:
    assert page_of("docs/decisions/0001-the-seam.md") == "decisions/0001-the-seam"
    assert page_of("docs/learn/1-one.ipynb") == "learn/1-one"
    assert page_of("docs/new.md") == "guides/new"
    assert page_of("experiments/gers2001/README.md") == "experiments/gers2001"


def test_notebooks_are_staged_without_outputs_and_unchanged(sources: dict[str, str]) -> None:
    staged = json.loads(sources["learn/main.ipynb"])["cells"]
    original = json.loads((ROOT / "main.ipynb").read_text(encoding="utf-8"))["cells"]
    assert len(staged) == len(original) + 1 and staged[0]["metadata"]["tags"] == ["remove-cell"]
    for mine, theirs in zip(staged[1:], original, strict=True):
        assert mine["cell_type"] == theirs["cell_type"]
        if mine["cell_type"] == "code":
            assert mine["outputs"] == [] and mine["source"] == theirs["source"]


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<h1 id="top">a</h1><a href="b.html#there">b</a><a href="https://example.org">web</a>')
    (tmp_path / "b.html").write_text('<p id="there"><a href="a.html#top">a</a><img src="p.png"></p>')
    (tmp_path / "p.png").touch()
    assert check.problems(tmp_path) == []
    (tmp_path / "b.html").write_text(
        '<a href="gone.html">a</a><a href="a.html#gone">b</a><script src="https://example.org/x.js"></script>'
        '<figure data-live="live/gone.html#view=unit"></figure><a href="../b.html">out</a>'
    )
    assert check.problems(tmp_path) == [
        "a.html: href b.html#there: no such anchor",
        "b.html: href gone.html: no such file",
        "b.html: href a.html#gone: no such anchor",
        "b.html: loads https://example.org/x.js",
        "b.html: data-live live/gone.html#view=unit: no such file",
        "b.html: href ../b.html: no such file",
    ]


def test_docstrings_keep_their_signs() -> None:
    assert as_rst(["Read `x` and *args, a|b, name_, `**more`."]) == [r"Read ``x`` and \*args, a\|b, name\_, ``**more``."]
    example = [">>> f(*a) | `b`", "{'c_': 1}", "", "after_ it"]
    assert as_rst(example) == [*example[:3], r"after\_ it"]


def test_examples_of_docstrings_are_run_somewhere() -> None:
    """They are, for byhand.cells and byhand.explain, in the tests of each; an example elsewhere would need its own."""
    run = (ROOT / "tests/unit/explain/test_explain_gradients.py").read_text(encoding="utf-8")
    for path in (ROOT / "src/byhand").rglob("*.py"):
        if re.search(r"^\s*>>> ", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert path.parent.name == "cells" or f'"{path.stem}"' in run, f"{path}: its examples are run by no test"
