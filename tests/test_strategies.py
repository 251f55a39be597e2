from __future__ import annotations

import pytest
import torch
from hypothesis import find, given
from hypothesis import strategies as st

from pytest_retrieval_robust.errors import OcclusionError
from pytest_retrieval_robust.occluders.patches import Patches
from pytest_retrieval_robust.strategies import Occlusion, levels, occlusions


@given(st.data(), st.floats(0, 1))
def test_levels_stay_within_bounds(data: st.DataObject, top: float) -> None:
    assert 0 <= data.draw(levels(top)) <= top


def test_levels_reach_their_top() -> None:
    assert find(levels(0.29), lambda level: level > 0.285) == 0.29


@given(st.data(), st.floats(0, 1))
def test_no_more_than_max_share_is_hidden(data: st.DataObject, share: float) -> None:
    occlusion = data.draw(occlusions(share))
    assert occlusion.share <= share
    assert occlusion.mask(["a"], 32).double().mean() <= share


@given(occlusions())
def test_an_occlusion_applies_what_its_mask_says(occlusion: Occlusion) -> None:
    pixels = torch.full((1, 3, 32, 32), 2.0)
    changed = (occlusion.apply(pixels, ["a"]) != pixels).any(1, keepdim=True)
    assert torch.equal(changed, occlusion.mask(["a"], 32))
    assert changed.double().mean() == occlusion.share


@given(occlusions())
def test_the_repr_makes_the_occlusion_again(occlusion: Occlusion) -> None:
    assert eval(repr(occlusion)) == occlusion


def test_shrinking_goes_to_nothing_hidden() -> None:
    assert find(occlusions(), lambda _: True) == Occlusion(Patches(1), 0.0, 0)
    assert find(occlusions(), lambda found: found.share > 0) == Occlusion(Patches(1), 1.0, 0)
    assert find(occlusions(0.5), lambda found: found.share > 0) == Occlusion(Patches(2), 0.25, 0)


@pytest.mark.parametrize("strategy", [levels, occlusions])
def test_a_share_above_1_is_an_error(strategy: type) -> None:
    with pytest.raises(OcclusionError, match="=30"):
        strategy(30)
