"""The table that chooses the GPU engine's kernels, and what does not fit; without a GPU and without Triton."""

import pytest
import torch

from byhand import cells
from byhand.engine.triton import limits, tiers
from byhand.engine.triton.limits import Chip
from byhand.engine.triton.slices import SHAPES, slices_for
from byhand.engine.triton.tiers import NUMBERS, TABLE, Tier, choose, look_up, only
from byhand.testing.engine_cases import call_of

H200, SMALL = Chip(132, 227 << 10, (9, 0)), Chip(28, 99 << 10, (8, 6))
CPU = torch.device("cpu")


@pytest.mark.parametrize("number", NUMBERS)
def test_every_size_has_a_tier_and_wider_ones_none_that_is_faster(number: str) -> None:
    order = list(Tier)
    for chip in (H200, SMALL):
        found = [order.index(look_up(number, units, 8, chip)) for units in (1, 64, 96, 128, 129, 512, 1024, 1025, 4096)]
        assert found == sorted(found) and order[found[0]] is Tier.resident and order[found[-1]] is Tier.stepwise
    assert look_up(number, 512, 8, H200) is Tier.cooperative
    assert look_up(number, 512, 8, SMALL) is Tier.stepwise  # too few processors


def test_the_first_entry_that_fits_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = TABLE[0]._replace(number="tf32", units=64, batch=16, capability=(9, 0), processors=100, tier=Tier.stepwise)
    monkeypatch.setattr(tiers, "TABLE", (entry, *TABLE))
    assert look_up("tf32", 64, 16, H200) is Tier.stepwise
    for units, batch, chip in ((65, 16, H200), (64, 17, H200), (64, 16, H200._replace(capability=(8, 9))), (64, 16, SMALL)):
        assert look_up("tf32", units, batch, chip) is Tier.resident
    assert look_up("bfloat16", 64, 16, H200) is Tier.resident


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "AT_ONCE", {"cpu"})
    monkeypatch.setattr(torch.backends.cudnn.rnn, "fp32_precision", "ieee")


@pytest.mark.usefixtures("at_once")
def test_a_call_goes_down_until_it_fits() -> None:
    float32 = torch.float32
    assert choose(call_of(cells.lstm, (1, 2, 1, 64), float32, CPU)) == (
        Tier.resident,
        "the table's for 64 units and 2 sequences in float32",
    )
    assert choose(call_of(cells.lstm, (1, 2, 1, 208), float32, CPU)) == (
        Tier.cooperative,
        "the table's for 208 units and 2 sequences in float32",
    )
    many = call_of(cells.gru, (1, 5000, 1, 144), float32, CPU)
    programs = "it has 1565 programs, which wait for each other, and the GPU 132 processors"
    assert choose(many) == (Tier.stepwise, f"not cooperative: {programs}")
    odd = call_of(cells.lstm, (1, 2, 1, 200), float32, CPU)
    registers = "200 units are no multiple of 16, and the addresses of all steps too many for a program's registers"
    assert choose(odd) == (Tier.stepwise, f"not cooperative: {registers}")
    projected = call_of(cells.lstm, (1, 2, 1, 208), float32, CPU, proj_size=3)
    assert choose(projected) == (Tier.stepwise, "not cooperative: a projection would have its programs wait twice a step")
    cut = call_of(cells.lstm, (1, 2, 1, 208), float32, CPU)._replace(cut=torch.zeros(1, 2, dtype=torch.bool))
    again = "sequences start again inside"
    assert choose(cut) == (None, f"cooperative: {again}; stepwise: {again}")


@pytest.mark.usefixtures("at_once")
def test_one_tier_alone_takes_a_call_or_none_does() -> None:
    call = call_of(cells.lstm, (1, 2, 1, 208), torch.float32, CPU)
    for tier in (Tier.cooperative, Tier.stepwise):
        with only(tier):
            assert choose(call) == (tier, "no other is allowed here")
    with only(Tier.stepwise), only(Tier.resident):
        tier, why = choose(call)
        assert tier is None and why == "a layer of 208 units is too wide: the weights of at most 128 are held on the chip"
    assert choose(call).tier is Tier.cooperative


@pytest.mark.usefixtures("at_once")
def test_a_tier_that_is_not_trusted_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "_distrusted", {})
    call = call_of(cells.lstm, (1, 2, 1, 208), torch.float32, CPU)
    tiers.distrust(CPU, torch.float32, Tier.cooperative, "its kernels are 1.0e+00 off")
    assert choose(call) == (Tier.stepwise, "not cooperative: its kernels are 1.0e+00 off")
    double = call_of(cells.lstm, (1, 2, 1, 208), torch.float64, CPU)
    assert choose(double).tier is Tier.cooperative


def test_more_values_a_step_than_places_are_counted() -> None:
    call = call_of(cells.rnn, (1, 1, 1, 4), torch.float32, CPU)
    huge = call._replace(input=torch.empty(1, 1 << 28, 1, device="meta"))
    reason = limits.refuses_sliced(huge)
    assert reason == "a step has 2147483648 values, or weights: expected fewer than 2147483648"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("chip", [H200, SMALL])
def test_blocks_grow_with_the_work_and_stay_within_the_chip(dtype: torch.dtype, chip: Chip) -> None:
    sizes = []
    for batch, units in ((1, 16), (16, 512), (64, 512), (64, 1024), (256, 1024), (4096, 4096)):
        rows, wide, _ = slices_for(batch, (units, None), dtype, chip)
        assert (rows, wide) in SHAPES
        sizes.append(rows * wide)
    assert sizes == sorted(sizes) and sizes[0] == 256
    largest = SHAPES[1] if dtype == torch.float64 else SHAPES[-1] if chip is H200 else SHAPES[-2]
    assert slices_for(4096, (4096, 64), dtype, chip)[:2] == largest
    assert slices_for(4096, (4096, 64), dtype, chip, meets=True)[:2] == SHAPES[1]
    assert slices_for(4096, (4096, 63), dtype, chip)[:2] == slices_for(4096, (4095, None), dtype, chip)[:2] == SHAPES[1]
