"""check_cell: all of our cells pass, and an engine that lies is named."""

import re

import pytest
import torch
from cases import CASES
from conftest import ROOT, run
from made_engines import MadeEngine
from pairs import SINGLE

from byhand import Cell, cells
from byhand.cells import lstm
from byhand.engine import dispatch, reference
from byhand.engine.call import Call, Result
from byhand.testing import CellError, check_cell
from byhand.testing.check_cell import PROMISES

# One of each kind, of those whose kernels other tests need as well: each promise is shown for every cell by a test with a better oracle.
OURS = {value.name: value for value in vars(cells).values() if isinstance(value, Cell)} | {
    name: CASES[name][0] for name in SINGLE
}


@pytest.mark.parametrize("name", OURS)
def test_every_cell_of_ours_passes(name: str) -> None:
    cell = OURS[name]
    report = check_cell(cell)
    assert set(report.results) == set(PROMISES)
    assert all(result == "kept" or result.startswith("does not apply: ") for result in report.results.values())
    inapplicable = [promise for promise, result in report.results.items() if result != "kept"]
    assert len(inapplicable) == (2 if cell.truncated else 0) + (not cell.elementwise)


ENGINES = "every engine that runs the cell gives the same results and gradients"


def test_an_engine_that_lies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(call: Call) -> Result:
        result = reference.run(call)
        return result._replace(output=result.output * 1.001)

    lying = MadeEngine("lying", run=run)
    monkeypatch.setattr(dispatch, "ENGINES", (lying, *dispatch.ENGINES))
    with pytest.raises(CellError, match=f"- {ENGINES}: engine 'lying' differs by .* from the reference"):
        check_cell(lstm)


def test_the_random_state_is_left_alone() -> None:
    state = torch.get_rng_state()
    check_cell(lstm)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_tutorial_runs() -> None:
    text = (ROOT / "docs/your-own-cell.md").read_text(encoding="utf-8")
    done = run("python", "-c", "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "per-sample gradients by vmap equal a loop" in done.stdout
    (right,) = re.findall(r"right in (\d+\.\d)% of 1000", done.stdout)
    assert float(right) > 90
