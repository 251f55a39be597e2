"""Drawing of corruptions and text noise at a severity. The public functions check their
arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from ..core.catalogue import Catalogue
from ..corruptions import WHOLE, Frame
from ._occlusions import levels

if TYPE_CHECKING:
    import torch
    from hypothesis.strategies import DrawFn

    from ..corruptions import CorruptionEntry
    from ..texts.noise import TextNoiseEntry

_SEEDS = 2**32 - 1


@dataclass(frozen=True)
class AppliedCorruption:
    """A corruption with a severity and a seed, ready to apply.

    >>> AppliedCorruption("contrast", severity=0.2, seed=0)
    AppliedCorruption(name='contrast', severity=0.2, seed=0)
    """

    name: str
    """A name of the catalogue, without parameters: all have their defaults."""
    severity: float
    """From 0, which changes nothing, to 1."""
    seed: int

    def apply(
        self, pixels: torch.Tensor, ids: Sequence[str], frame: Frame = WHOLE
    ) -> torch.Tensor:
        """A copy of `pixels`, (B, 3, H, W) floating on the 0..1 scale or uint8, with this
        corruption inside of `frame`.

        Raises:
            CorruptionError: Pixels, ids, frame, severity or seed that do not fit.
            UnknownNameError: No corruption has this name.
        """
        corruption = corruption_entries().get(self.name).build()
        return corruption.corrupt(pixels, ids, self.severity, self.seed, frame)


@dataclass(frozen=True)
class AppliedNoise:
    """A text noise with a severity and a seed, ready to apply.

    >>> AppliedNoise("case", severity=1.0, seed=0).apply(["no effusion."])
    ['NO EFFUSION.']
    """

    name: str
    """A name of the catalogue, without parameters: all have their defaults."""
    severity: float
    """From 0, which changes nothing, to 1."""
    seed: int

    def apply(self, texts: Sequence[str]) -> list[str]:
        """The texts as they are at this severity, in the same order; none is empty.

        Raises:
            CorruptionError: A severity or seed out of range.
            UnknownNameError: No text noise has this name.
        """
        return (
            noise_entries()
            .get(self.name)
            .build()
            .apply(texts, self.severity, self.seed)
        )


@cache
def corruption_entries() -> Catalogue[CorruptionEntry]:
    return Catalogue("corruption", "corruptions")


@cache
def noise_entries() -> Catalogue[TextNoiseEntry]:
    return Catalogue("text noise", "text_noise")


def names_in(catalogue: Catalogue[Any], names: Sequence[str]) -> list[str]:
    """The names of the catalogue, or those of `names`; `UnknownNameError` for others."""
    if not names:
        return catalogue.names()
    return [catalogue.get(name).name for name in names]


@st.composite
def severities(draw: DrawFn, max_severity: float) -> float:
    return draw(levels(max_level=max_severity))


@st.composite
def corruptions(draw: DrawFn, *names: str, max_severity: float) -> AppliedCorruption:
    name = draw(st.sampled_from(names))
    severity = draw(severities(max_severity))
    # A switch has no degrees: it is done or not done.
    if corruption_entries().get(name).is_switch and severity:
        severity = 1.0
    return AppliedCorruption(name, severity, draw(st.integers(0, _SEEDS)))


@st.composite
def noises(draw: DrawFn, *names: str, max_severity: float) -> AppliedNoise:
    name = draw(st.sampled_from(names))
    severity = draw(severities(max_severity))
    return AppliedNoise(name, severity, draw(st.integers(0, _SEEDS)))
