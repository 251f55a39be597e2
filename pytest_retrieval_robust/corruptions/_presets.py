"""Published severities: five steps of a parameter, by the name of who published them.

* `medmnist-c`: the values for ChestMNIST of MedMNIST-C (Di Salvo et al. 2024,
  arXiv 2406.17536; `medmnistc/corruptions/registry.py` of medmnistc 0.1.0), chosen on
  images of 224 x 224 pixels.
* `robustmedclip`: those for PneumoniaMNIST of the same file, which are milder. They are
  the chest films of RobustMedCLIP's benchmark (Imam et al. 2025, arXiv 2505.15425) whose
  parameters are public: of its own MediMeta-C only the pictures are.
* `imagenet-c`: Hendrycks and Dietterich 2019 (arXiv 1903.12261), as in imagecorruptions
  1.1.2, for 224 x 224 pixels.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ..core.errors import CorruptionError
from ..core.words import close_words, did_you_mean
from .image_corruption import ImageCorruption

MEDMNIST_C = "medmnist-c"
ROBUSTMEDCLIP = "robustmedclip"
IMAGENET_C = "imagenet-c"
STEPS = 5


@dataclass(frozen=True)
class Steps:
    """A parameter at severity 0 and at the five published steps, linear between them."""

    identity: float
    """The value that changes nothing."""
    published: tuple[float, float, float, float, float]
    """At the severities 0.2, 0.4, 0.6, 0.8 and 1."""

    def at(self, severity: float) -> float:
        """The parameter at a severity in [0, 1]; at a step exactly the published value.

        >>> Steps(1, (0.9, 0.8, 0.7, 0.6, 0.4)).at(0.9)
        0.5
        """
        values = (self.identity, *self.published)
        below = min(int(severity * STEPS), STEPS - 1)
        share = severity * STEPS - below
        if share == 1:
            return values[below + 1]
        return values[below] + share * (values[below + 1] - values[below])


@dataclass(frozen=True)
class PresetCorruption(ImageCorruption, ABC):
    """A corruption with one parameter, whose steps a preset names."""

    preset: str = MEDMNIST_C

    presets: ClassVar[Mapping[str, Steps]]

    def __post_init__(self) -> None:
        check_preset(self.family, self.preset, self.presets)

    def parameter(self, severity: float) -> float:
        """The preset's parameter at that severity."""
        return self.presets[self.preset].at(severity)


def check_preset(family: str, preset: object, presets: Mapping[str, object]) -> None:
    """Raise `CorruptionError` where `preset` is not one of `presets`."""
    if preset in presets:
        return
    hint = (
        did_you_mean(close_words(str(preset), list(presets))) or "Choose one of them."
    )
    raise CorruptionError(
        f"Expected a preset of {family} out of {', '.join(presets)}, got"
        f" preset={preset!r}. {hint}"
    )
