"""docs/rosetta.md: its tables are those of the layouts, its code runs, its links lead somewhere."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from conftest import ROOT

from byhand.interop.layouts import LAYOUTS

PAGE = ROOT / "docs" / "rosetta.md"


def tool(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_tables_are_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rosetta = tool("rosetta")
    assert rosetta.renewed(page) == page, "python tools/rosetta.py"
    for columns in rosetta.TABLES.values():
        named = re.findall(
            r"`([\w.]+(?:\([^)]*\))?)`", "".join(row.split(" | ")[0] for row in rosetta.table(columns).splitlines())
        )
        assert sorted(named) == sorted(layout.name for layout in LAYOUTS)


def test_shapes_are_those_of_the_arrays() -> None:
    rosetta = tool("rosetta")
    shapes = {layout.name: rosetta.arrays(layout) for layout in LAYOUTS}
    assert shapes["keras.GRU"] == "`kernel` (I, 3H), `recurrent_kernel` (H, 3H), `bias` (2, 3H)"
    assert shapes["flashrnn.gru"] == "`W` (3ND, I), `R` (3, N, D, D), `b` (4, N, D)"
    assert shapes["haiku.LSTM"] == "`linear/w` (I+H, 4H), `linear/b` (4H,)"
    assert shapes["paddle.LSTM"].endswith("`weight_ho` (H, P)") and shapes["torch.LSTM"].endswith("`weight_hr` (P, H)")


def test_the_code_runs(capsys) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, str(PAGE), "exec"), {"__name__": "page"})
    assert "input_map.weight" in capsys.readouterr().out


def test_the_versions_to_install_are_those_of_the_layouts() -> None:
    asked = [one for group in tool("libraries").GROUPS.values() for one in group]
    packages = dict(one.split("==") for one in asked if "==" in one)  # Flax: the newest that the Python here takes
    wanted = {"paddle": "paddlepaddle", "mlx": "mlx[cpu]", "haiku": "dm-haiku"}
    for layout in LAYOUTS:
        name = wanted.get(layout.framework, layout.framework)
        assert packages.get(name, layout.version) == layout.version


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", PAGE.read_text(encoding="utf-8"))
    assert links and all((PAGE.parent / link).resolve().exists() for link in map(Path, links))
