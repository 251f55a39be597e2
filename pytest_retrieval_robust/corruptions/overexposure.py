"""`overexposure`: a film that is too dark, as too much dose leaves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import CorruptionEntry
from ._exposure import GammaCorruption
from ._presets import MEDMNIST_C, ROBUSTMEDCLIP, Steps

if TYPE_CHECKING:
    from ..core.catalogue import Catalogue


@dataclass(frozen=True)
class Overexposure(GammaCorruption):
    """Gamma above 1: darker, most in the middle greys.

    The names are radiography's: dose blackens a film. A photograph would be called
    underexposed.
    """

    family: ClassVar[str] = "overexposure"
    presets: ClassVar = {
        MEDMNIST_C: Steps(1, (1.1, 1.2, 1.3, 1.4, 1.6)),
        ROBUSTMEDCLIP: Steps(1, (1.1, 1.2, 1.3, 1.4, 1.6)),
    }


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=Overexposure.family,
            summary="too much dose: a darker film (gamma above 1)",
            parameters={"preset": str},
            build=Overexposure,
        )
    )
