"""Hypothesis strategies for property tests of one's own models and occlusions.

>>> import torch
>>> from hypothesis import given
>>> from pytest_retrieval_robust.strategies import Occlusion, occlusions
>>> @given(occlusions(max_share=0.25))
... def test_at_most_a_quarter_is_hidden(occlusion: Occlusion) -> None:
...     image = torch.ones(1, 3, 64, 64)
...     assert occlusion.apply(image, ["study-1"]).mean() >= 0.75
>>> test_at_most_a_quarter_is_hidden()
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from .errors import OcclusionError
from .occluders import WHOLE, Frame, Occluder
from .occluders.patches import Patches

if TYPE_CHECKING:
    import torch
    from hypothesis.strategies import DrawFn, SearchStrategy

_GRIDS = (1, 2, 4, 8, 16, 32)  # divisors of the usual input sizes: a cell's share of pixels is then its share of area
_FILLS = ("black", "white", "noise")  # those whose hidden pixels do not depend on what was hidden
_SEEDS = 2**32 - 1


@dataclass(frozen=True)
class Occlusion:
    """An occluder with a level and a seed, ready to apply; its `repr` makes it again.

    >>> Occlusion(occluder=Patches(grid=4, fill='black'), level=0.25, seed=0)
    Occlusion(occluder=Patches(grid=4, fill='black'), level=0.25, seed=0)
    """

    occluder: Occluder
    level: float
    """The share of the source image's area to hide, in [0, 1]."""
    seed: int

    @property
    def share(self) -> float:
        """The share of the source image's area that is hidden, exact to a cell."""
        return self.occluder.achieved_level(self.level)

    def apply(self, pixels: torch.Tensor, ids: Sequence[str], frame: Frame = WHOLE) -> torch.Tensor:
        """A copy of `pixels`, (B, 3, H, W) floating on the 0..1 scale, with this occlusion."""
        return self.occluder.occlude(pixels, ids, self.level, self.seed, frame)

    def mask(
        self,
        ids: Sequence[str],
        size: int | tuple[int, int],
        frame: Frame = WHOLE,
        device: torch.device | str = "cpu",
    ) -> torch.Tensor:
        """(B, 1, H, W) bool, true where this occlusion hides a pixel."""
        return self.occluder.mask(ids, self.level, self.seed, size, frame, device)


def levels(max_level: float = 1.0) -> SearchStrategy[float]:
    """Occlusion levels from 0 to `max_level` in steps of 0.01; they shrink towards 0.

    Raises:
        OcclusionError: `max_level` is outside [0, 1].
    """
    return st.integers(0, int(_share("max_level", max_level) * 100)).map(lambda percent: percent / 100)


def occlusions(max_share: float = 1.0) -> SearchStrategy[Occlusion]:
    """Occlusions by patches that hide at most `max_share` of the image.

    They shrink towards nothing hidden, fewer cells, a black fill and seed 0.

    Raises:
        OcclusionError: `max_share` is outside [0, 1].
    """
    return _occlusions(_share("max_share", max_share))


@st.composite
def _occlusions(draw: DrawFn, max_share: Fraction) -> Occlusion:
    grid = draw(st.sampled_from(_GRIDS))
    # Whole cells are drawn, not a level: the rounding of a level could exceed the share.
    hidden = draw(st.integers(0, int(max_share * grid**2)))
    fill = draw(st.sampled_from(_FILLS))
    seed = draw(st.integers(0, _SEEDS))
    return Occlusion(Patches(grid, fill), hidden / grid**2, seed)


def _share(name: str, value: float) -> Fraction:
    """`value` as the decimal that it is written as, so that 0.29 holds 29 whole percent."""
    if not 0 <= value <= 1:
        raise OcclusionError(f"Expected {name} from 0 to 1, got {name}={value!r}. Give a share of the image's area.")
    return Fraction(str(float(value)))
