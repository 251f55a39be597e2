"""What is said of shares, views and misuse, by the example of patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from pytest_retrieval_robust.core.errors import OcclusionError
from pytest_retrieval_robust.occluders import WHOLE, Box
from pytest_retrieval_robust.occluders.area import visible_level
from pytest_retrieval_robust.occluders.area.patches import Patches

from ..generators import PADDED


@pytest.mark.parametrize("frame", [WHOLE, PADDED, [WHOLE, PADDED]])
def test_visible_level_is_the_share_of_what_the_model_sees(
    frame: Box | Sequence[Box],
) -> None:
    mask = Patches(10).mask(["a", "b"], 0.3, 0, 50, frame)
    assert visible_level(mask, frame) == pytest.approx(0.3)


def test_visible_level_counts_only_what_a_crop_leaves() -> None:
    mask = Patches(2).mask(["a"], 0.5, 0, 10, (0, 0, 2, 2))
    assert visible_level(mask, (0, 0, 2, 2)) in (0.0, 1.0)


def test_the_repr_makes_it_again() -> None:
    assert repr(Patches(14)) == "Patches(grid=14, fill='black')"


def test_0_3_is_the_decimal() -> None:
    assert Patches(10).hidden_cells(0.3) == 30
    assert Patches(1).hidden_cells(0.5) == 1
    assert (
        Patches(10).hidden_cells(0.285) == 29
    )  # the float lies below; as a decimal it is a half


PIXELS = torch.zeros(1, 3, 8, 8)
MISUSES: dict[str, Callable[[], object]] = {
    "level=1.5": lambda: Patches().mask(["a"], 1.5, 0, 8, WHOLE),
    "level=nan": lambda: Patches().mask(["a"], float("nan"), 0, 8, WHOLE),
    "seed=-1": lambda: Patches().mask(["a"], 0.5, -1, 8, WHOLE),
    "size=0": lambda: Patches().mask(["a"], 0.5, 0, 0, WHOLE),
    "right > left": lambda: Patches().mask(["a"], 0.5, 0, 8, (0.5, 0, 0.5, 1)),
    r"len\(frame\)=2": lambda: Patches().mask(["a"], 0.5, 0, 8, [WHOLE, WHOLE]),
    r"len\(ids\)=2": lambda: Patches().occlude(PIXELS, ["a", "b"], 0.5, 0, WHOLE),
    "dtype=torch.int32": lambda: Patches().occlude(PIXELS.int(), ["a"], 0.5, 0, WHOLE),
    r"shape=\(1, 1, 8, 8\)": (
        lambda: Patches().occlude(PIXELS[:, :1], ["a"], 0.5, 0, WHOLE)
    ),
    "out.dtype=torch.float64": (
        lambda: Patches().occlude(PIXELS, ["a"], 0.5, 0, WHOLE, out=PIXELS.double())
    ),
}


@pytest.mark.parametrize("message", MISUSES)
def test_misuse_says_what_was_got(message: str) -> None:
    with pytest.raises(OcclusionError, match=message):
        MISUSES[message]()
