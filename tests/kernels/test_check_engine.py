"""check_engine: ours pass it, and each kind of wrong engine is found."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from made_engines import MadeEngine

from byhand import cells
from byhand.engine import reference
from byhand.engine.call import Call, Result
from byhand.engine.cpp import engine as cpp
from byhand.testing import EngineError, check_engine

FEW = (cells.lstm, cells.gru)


def test_the_cpp_engine_passes() -> None:
    report = check_engine(cpp)
    assert set(report.refused) == {
        "cell 'layernorm_lstm' is not elementwise: a unit's values depend on other units",
        "cell 'gru_reset_before' makes a recurrent product inside its step, of gate n: a unit's values depend on other units",
    }
    kinds = {"plain", "reverse", "ragged lengths", "sequences that start again", "every site", "no gradients", "no biases"}
    kinds |= {"projection", "projection, ragged and reverse", "held values", "held values, ragged and reverse"}
    assert set(report.agrees) == kinds and all(report.agrees.values())
    assert report.also["prepared"] > 100 and report.also["as one operator"] > 100
    assert str(report).startswith("engine cpp: ")


def test_the_reference_engine_passes() -> None:
    assert not check_engine(reference, chosen=(cells.lstm, cells.layernorm_lstm, cells.gru_reset_before)).refused


def test_an_engine_that_refuses_everything_is_no_error() -> None:
    report = check_engine(MadeEngine("none", lambda call: "it is Sunday"), chosen=FEW)
    assert not report.agrees and set(report.refused) == {"it is Sunday"}


def output(result: Result, call: Call) -> Result:
    return result._replace(output=result.output * 1.001)


def last_state(result: Result, call: Call) -> Result:
    return result._replace(state=(*result.state[:-1], result.state[-1] + 1e-3))


def gradient(result: Result, call: Call) -> Result:
    return result._replace(output=result.output.detach() * 0.01 + result.output * 0.99)


def site(result: Result, call: Call) -> Result:
    if result.sites is None:
        return result
    return result._replace(sites={name: [one + 1e-3 for one in steps] for name, steps in result.sites.items()})


def missing_site(result: Result, call: Call) -> Result:
    return result if result.sites is None else result._replace(sites=dict(list(result.sites.items())[1:]))


def number_type(result: Result, call: Call) -> Result:
    return result._replace(output=result.output.float())


def not_a_number(result: Result, call: Call) -> Result:
    return result._replace(output=result.output * torch.nan)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (output, "plain: output differs by"),
        (last_state, "plain: last c differs by"),
        (gradient, "plain: gradient by recurrent differs by"),
        (site, "every site: site i differs by"),
        (missing_site, "every site: site i is missing"),
        (number_type, "output is torch.float32"),
        (not_a_number, "output differs by nan"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_a_wrong_engine_is_found(change: Callable[[Result, Call], Result], said: str) -> None:
    wrong = MadeEngine("wrong", run=lambda call: change(reference.run(call), call))
    with pytest.raises(EngineError, match="engine 'wrong' differs in") as found:
        check_engine(wrong, chosen=(cells.lstm,))
    assert said in str(found.value)


def without(field: str) -> Callable[[Call], Result]:
    return lambda call: reference.run(call._replace(**{field: type(getattr(call, field))() if field == "reverse" else None}))


@pytest.mark.parametrize(
    ("field", "kind"), [("reverse", "reverse"), ("valid", "ragged lengths"), ("cut", "sequences that start again")]
)
def test_an_engine_that_passes_over_a_part_of_the_call_is_found(field: str, kind: str) -> None:
    with pytest.raises(EngineError, match=f", {kind}"):
        check_engine(MadeEngine("careless", run=without(field)), chosen=(cells.lstm,))


def test_an_engine_that_answers_once_is_found() -> None:
    seen: list[int] = []

    def run(call: Call) -> Result:
        seen.append(1)
        result = reference.run(call)
        return result if len(seen) % 2 else output(result, call)

    with pytest.raises(EngineError, match="asked again: output differs by"):
        check_engine(MadeEngine("tired", run=run), chosen=(cells.lstm,))


def test_a_wrong_operator_and_a_wrong_prepared_call_are_found() -> None:
    def prepare(call: Call, *, pack: bool = False) -> Any:
        made = cpp.prepare(call, pack=pack)
        if made is None:
            return None
        return SimpleNamespace(
            run=lambda *given: made.run(*given) * 1.01, stepping=made.stepping, differentiable=made.differentiable
        )

    plain = {"name": "odd", "refuses": cpp.refuses, "run": cpp.run, "prepare": cpp.prepare, "traced": cpp.traced}
    with pytest.raises(EngineError, match="prepared: output differs by"):
        check_engine(SimpleNamespace(**plain | {"prepare": prepare}), chosen=(cells.lstm,))
    with pytest.raises(EngineError, match="as one operator: output differs by"):
        check_engine(
            SimpleNamespace(**plain | {"traced": lambda call: output(reference.run(call), call)}), chosen=(cells.lstm,)
        )
