"""`underexposure`: a film that is too light, as too little dose leaves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import CorruptionEntry
from ._exposure import GammaCorruption
from ._presets import MEDMNIST_C, ROBUSTMEDCLIP, Steps

if TYPE_CHECKING:
    from ..core.catalogue import Catalogue


@dataclass(frozen=True)
class Underexposure(GammaCorruption):
    """Gamma below 1: lighter, most in the dark greys.

    The names are radiography's: dose blackens a film. A photograph would be called
    overexposed. The noise of too little dose is `quantum-noise`.
    """

    family: ClassVar[str] = "underexposure"
    presets: ClassVar = {
        MEDMNIST_C: Steps(1, (0.9, 0.8, 0.7, 0.6, 0.4)),
        ROBUSTMEDCLIP: Steps(1, (0.9, 0.8, 0.7, 0.6, 0.4)),
    }


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=Underexposure.family,
            summary="too little dose: a lighter film (gamma below 1)",
            parameters={"preset": str},
            build=Underexposure,
        )
    )
