"""However torch records or transforms a layer, in a process that has run nothing before: the result is torch's, or refused in words."""

import pytest
from conftest import ROOT
from transformations import CELLS, FORMS, REFUSALS, WAYS, Job, verdicts

# These take a second and more for each form and cell; what the other cells have of their own is tested by the quicker ways.
SLOW = {"compile": ("lstm", "layernorm_lstm"), "export, strict": ("lstm", "layernorm_lstm"), "export": ("lstm", "peephole")}
PACKED = {form for form, its in FORMS.items() if its.lengths}
REFUSED = {  # by cell and form; nobody else is refused
    "jit.script": {(cell, form) for cell in CELLS for form in FORMS},
    "jit.trace": {(cell, form) for cell in ("peephole", "layernorm_lstm", "gru_reset_before") for form in PACKED},
    "make_fx": {(cell, form) for cell in CELLS for form in PACKED},
}
NOT_ASKED = {  # where torch's own layer, or what packs a sequence, refuses
    **dict.fromkeys(("export", "export, strict", "FakeTensorMode", "subclass", "vmap"), PACKED),
}


@pytest.fixture(scope="module")
def found() -> dict[Job, str]:
    """All of them, out of one process that imports what they need; each forked, so that nothing has come before it."""
    return verdicts((way, cell, form) for way in WAYS for cell in SLOW.get(way, CELLS) for form in FORMS)


@pytest.mark.parametrize("way", WAYS)
def test_every_form_of_input(way: str, found: dict[Job, str]) -> None:
    """A plain call gives the same, to the bit, whatever came before it."""
    for cell in SLOW.get(way, CELLS):
        for form in FORMS:
            verdict = found[way, cell, form]
            if cell.startswith("gru") and form == "projected":
                assert verdict.startswith("refused: ValueError: proj_size expected")
            elif (cell, form) in REFUSED.get(way, ()):
                assert verdict.startswith("refused: ") and any(words in verdict for words in REFUSALS), (cell, form, verdict)
            elif form in NOT_ASKED.get(way, ()):
                assert verdict.startswith("not asked: "), (cell, form, verdict)
            else:
                assert verdict.startswith("right, ") and verdict == found["eager", cell, form], (cell, form, verdict)


def test_the_page_names_every_way() -> None:
    page = (ROOT / "docs" / "transforms.md").read_text()
    rows = "".join(line for line in page.splitlines() if line.startswith("| "))
    words = {"device meta": "default device", "anomaly": "anomaly detection", "subclass": "subclasses", "grad and jvp": "`jvp`"}
    words |= {
        "checkpoint, reentrant": "checkpoint",
        "export": "torch.export",
        "export, strict": "strict",
        "eager": "what a layer does",
    }
    assert not [way for way in WAYS if words.get(way, way) not in rows]
