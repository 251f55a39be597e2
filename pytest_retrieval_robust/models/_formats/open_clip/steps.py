"""The steps of an open_clip transform: which of them decide the geometry, and how."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL.Image import Resampling
from torchvision.transforms import (
    CenterCrop,
    InterpolationMode,
    Normalize,
    Resize,
    ToTensor,
)

from ..geometry import Geometry
from ..pictures import Shaped

_MODULE = "open_clip.transform"
_CONVERSIONS = ("MaybeConvertMode", "_convert_to_rgb")
"""A class in this release of open_clip, a function in earlier ones."""


_FILTERS = {
    InterpolationMode.BICUBIC: Resampling.BICUBIC,
    InterpolationMode.BILINEAR: Resampling.BILINEAR,
}


@dataclass(frozen=True)
class TransformWay:
    """What a transform of open_clip does to every image."""

    geometry: Geometry
    steps: tuple[Hashable, ...]

    @property
    def shaped(self) -> Shaped | None:
        """The same as a resize and a crop of this package; None if it is something else."""
        resizes = [step for step in self.steps if isinstance(step, _Resized)]
        others = [step for step in self.steps if not isinstance(step, _Resized)]
        is_usual = len(resizes) == 1 and all(_is_usual(step) for step in others)
        if not is_usual or resizes[0].interpolation not in _FILTERS:
            return None
        return Shaped(self.geometry, _FILTERS[resizes[0].interpolation], grey=False)


@dataclass(frozen=True)
class _Resized:
    """A resize, and what else it is set to."""

    interpolation: InterpolationMode
    settings: tuple[Hashable, ...]


def _is_usual(step: Hashable) -> bool:
    """Whether a step is a crop, a black pad or the conversion to `RGB`."""
    assert isinstance(step, tuple)
    return step[0] == "crop" or step[-1] in ("0", "RGB")


def way_of_steps(geometry: Geometry, steps: Sequence[Any]) -> TransformWay | None:
    """The way of a transform; None with a step that is not known."""
    described = tuple(description_of(step) for step in steps)
    return None if None in described else TransformWay(geometry, described)


def is_geometry(step: Any) -> bool:
    return not isinstance(step, Normalize | ToTensor)


def description_of(step: Any) -> Hashable | None:
    """All that a step does; None for a step that is not known, or that is random.

    Classes are known by themselves and not by their bases: a subclass may do anything.
    """
    if type(step) is Resize:
        # A size may be written as a list, which cannot be hashed.
        settings = (repr(step.size), step.max_size, step.antialias)
        return _Resized(step.interpolation, settings)
    if type(step) is CenterCrop:
        return ("crop", tuple(step.size))
    if _is_of_open_clip(step):
        return _description_of_theirs(step)
    return None


def _description_of_theirs(step: Any) -> Hashable | None:
    if _name_of(step) in _CONVERSIONS:
        return ("convert", getattr(step, "mode", "RGB"))
    if _name_of(step) == "CenterCropOrPad":
        return ("crop or pad", tuple(step.size), str(step.fill))
    if _name_of(step) == "ResizeKeepRatio":
        if step.random_scale_prob or step.random_aspect_prob:
            return None
        settings = (tuple(step.size), step.longest)
        return _Resized(step.interpolation, settings)
    return None


def steps_for_grey(steps: Sequence[Any]) -> list[Any] | None:
    """The steps of a transform that do the same to a grey image as to each channel of
    its copy in `RGB`; None if that is not certain of all of them.

    The conversion to `RGB` that open_clip ends with is left out.
    """
    kept = [step for step in steps if description_of(step) != ("convert", "RGB")]
    return kept if all(_treats_channels_alike(step) for step in kept) else None


def _treats_channels_alike(step: Any) -> bool:
    """Whether a step is one of those known to look at no other channel."""
    if description_of(step) is None or _name_of(step) in _CONVERSIONS:
        return False
    # A colour would not fit a grey image.
    return isinstance(getattr(step, "fill", 0), int)


def _is_of_open_clip(step: Any) -> bool:
    """Whether a step is open_clip's own; its classes differ between releases."""
    return getattr(step, "__module__", None) == _MODULE


def _name_of(step: Any) -> str:
    # A function has a name of its own, an object that of its class.
    name: str = getattr(step, "__qualname__", type(step).__qualname__)
    return name
