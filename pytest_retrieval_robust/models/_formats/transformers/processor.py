"""The picture of a checkpoint: its image processor's declaration, with a user's overrides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL.Image import Resampling
from transformers import AutoImageProcessor

from ....core.errors import (
    ConfigError,
    ModelError,
    NotOnThisMachineError,
    RobustError,
)
from ....core.foreign import described
from ..._files.attempt import attempt, shown_path
from ..._files.checkpoint import require_regular_members
from ..._files.hub import how_to_download
from ..._files.tokenizer import check_tokenizer
from ..geometry import Geometry
from ..pictures import Picture, Prepare, shaped, stretch_without_antialias
from ..preprocessing import FILTERS, WITHOUT_ANTIALIAS
from ..transformers_versions import THROUGH_PIL
from .source import PROCESSORS, Source, reading_error, silently

_NEEDED = ("size", "resize", "mean", "std")
"""What a user must say of preprocessing if a checkpoint says nothing."""
_SCALE_TOLERANCE = 1e-6


class _NoProcessorError(RobustError):
    """A repository without an image processor."""


def load_picture(source: Source, overrides: Mapping[str, Any]) -> Picture:
    """As the checkpoint's image processor declares, overridden.

    Without a processor, as the user says.
    """
    processor = _processor(source)
    if processor is None:
        _require_needed(source, overrides)
    return picture_of(source.name, processor, overrides)


def _processor(source: Source) -> Any | None:
    """The image processor of the checkpoint, or of the place that the user names."""
    elsewhere = source.processor_elsewhere
    if elsewhere is not None:
        return _processor_of(elsewhere)
    if source.is_path and source.has_no_processor():
        return None

    def read() -> Any:
        return _read(source)

    def explain(error: BaseException) -> RobustError:
        # By now the hub was asked, so that the repository itself lacks what the cache lacks.
        is_asked = not source.is_path and source.request.may_download
        if is_asked and source.has_no_processor():
            return _NoProcessorError()
        return reading_error(source, "image processor", error)

    try:
        return attempt(lambda: silently(read), explain)
    except _NoProcessorError:
        return None


def _read(source: Source) -> Any:
    return AutoImageProcessor.from_pretrained(
        source.location, **THROUGH_PIL, **source.options
    )


def _processor_of(source: Source) -> Any:
    """The image processor of a place that the user names, which must have one."""

    def explain(error: BaseException) -> RobustError:
        if source.is_path:
            return reading_error(source, "image processor", error)
        return NotOnThisMachineError(
            f"Expected the image processor of {source.name} in the Hugging Face cache"
            f" or on the hub, got {described(error)}."
            f" {how_to_download(source.location, error)}, or name a folder as"
            " image_processor."
        )

    return attempt(lambda: silently(lambda: _read(source)), explain)


def require_places(source: Source) -> None:
    """Refuse paths of an image processor or a tokenizer at which there is none.

    Before the weights are read, which may be gigabytes.
    """
    elsewhere = source.processor_elsewhere
    if elsewhere is not None:
        _require_processor(elsewhere)
    if source.request.tokenizer is not None:
        check_tokenizer(source.name, source.request.tokenizer)


def _require_processor(source: Source) -> None:
    # No hub has a processor under an old name without ORG.
    is_path = source.is_path or "/" not in source.location
    if is_path and not Path(source.location).is_dir():
        shown = shown_path(source.location)
        raise NotOnThisMachineError(
            f"Expected a folder with {PROCESSORS[0]} for {source.name}, got"
            f" image_processor={shown!r}, which is no folder. Fix the path, or name"
            " ORG/NAME of the hub."
        )
    if source.is_path and source.has_no_processor():
        shown = shown_path(source.location)
        raise ModelError(
            f"Expected a folder with {PROCESSORS[0]} for {source.name}, got"
            f" image_processor={shown!r} without one. Name the folder that"
            " processor.save_pretrained(FOLDER) wrote, or ORG/NAME of the hub."
        )
    if Path(source.location).is_dir():
        require_regular_members(source.name, Path(source.location))


def _require_needed(source: Source, overrides: Mapping[str, Any]) -> None:
    lacking = [key for key in _NEEDED if key not in overrides]
    if lacking:
        raise ModelError(
            f"Expected {PROCESSORS[0]} in the folder of {source.name}, got none, and no"
            f" {', '.join(lacking)} in preprocessing. Save the processor beside the"
            " model (processor.save_pretrained(FOLDER)), or in its [models.NAME] table"
            " set image_processor = FOLDER or ORG/NAME of the model that it was trained"
            ' from, or preprocessing = { size = 224, resize = "shortest", mean = [...],'
            " std = [...] }."
        )


def picture_of(name: str, processor: Any, overrides: Mapping[str, Any]) -> Picture:
    """The processor's declared resize, crop and constants, overridden.

    Raises `ModelError` without one fixed square. Without a processor, the overrides
    must say all of `_NEEDED`; bicubic is the default filter.

    A crop is centred as OpenAI's and open_clip's transforms centre it, so that the same
    CLIP gives the same embeddings through either library: transformers' own processor
    crops one pixel off if the margin is 3 modulo 4.
    """
    filter_ = Resampling.BICUBIC
    mean: tuple[float, ...] = (0.0,) * 3
    std: tuple[float, ...] = (1.0,) * 3
    if processor is None:
        geometry = Geometry(overrides["resize"], overrides["size"], overrides["size"])
    else:
        geometry = geometry_of(name, processor)
        _require_unit_scale(name, processor)
        filter_ = Resampling(processor.resample)
        if processor.do_normalize:
            mean = tuple(processor.image_mean)
            std = tuple(processor.image_std)
    side = overrides.get("size", geometry.side)
    # A size of the user's is that of the square, without a larger resize before it.
    if "size" in overrides or "resize" in overrides:
        geometry = Geometry(overrides.get("resize", geometry.resize), side, side)
    return Picture(
        _prepare(name, geometry, overrides.get("interpolation"), filter_),
        side,
        mean=tuple(overrides.get("mean", mean)),
        std=tuple(overrides.get("std", std)),
    )


def _prepare(
    name: str, geometry: Geometry, interpolation: str | None, declared: Resampling
) -> Prepare:
    if interpolation != WITHOUT_ANTIALIAS:
        return shaped(geometry, FILTERS.get(interpolation or "", declared))
    if geometry.resize != "exact" or geometry.size != geometry.side:
        raise ConfigError(
            "Expected a model that stretches images to its square for"
            f" interpolation={interpolation!r}, got {name} with"
            f' resize={geometry.resize!r}. Add resize = "exact", or choose another'
            " interpolation."
        )
    return stretch_without_antialias(geometry.side)


def _require_unit_scale(name: str, processor: Any) -> None:
    """Refuse a processor with another scale than 0..1, which it would not get."""
    factor = getattr(processor, "rescale_factor", None)
    shifts = bool(getattr(processor, "rescale_offset", False))
    is_unit = factor is not None and abs(factor * 255 - 1) <= _SCALE_TOLERANCE
    if processor.do_rescale and is_unit and not shifts:
        return
    raise ModelError(
        f"Expected an image processor of {name} that rescales to 0..1"
        f" (rescale_factor=1/255, no offset), got {type(processor).__name__} with"
        f" do_rescale={processor.do_rescale}, rescale_factor={factor},"
        f" rescale_offset={shifts}. Register a loader of your own, or plain"
        " callables."
    )


def geometry_of(name: str, processor: Any) -> Geometry:
    """The processor's declared resize and crop.

    Raises `ModelError` unless they lead to one fixed square.
    """
    size = dict(getattr(processor, "size", None) or {})
    # A processor may keep a crop size that it does not use.
    crop: dict[str, Any] = {}
    if getattr(processor, "do_center_crop", None):
        crop = dict(processor.crop_size or {})
    side = crop.get("height")
    is_square_crop = crop.get("width") == side
    is_padded = getattr(processor, "do_pad", None)
    if not processor.do_resize or is_padded or not is_square_crop:
        raise _no_square(name, processor)
    # A longest edge as well would give a square for some images alone.
    if size.get("shortest_edge") and side and not size.get("longest_edge"):
        return Geometry("shortest", size["shortest_edge"], side)
    height = size.get("height")
    if height and height == size.get("width"):
        return Geometry("exact", height, side or height)
    raise _no_square(name, processor)


def _no_square(name: str, processor: Any) -> ModelError:
    patches = ""
    most = getattr(processor, "max_num_patches", None)
    if most is not None:
        patches = f", max_num_patches={most} (its resolution varies with the image)"
    return ModelError(
        f"Expected an image processor of {name} that resizes to a fixed square, got"
        f" {type(processor).__name__} with do_resize={processor.do_resize},"
        f" size={getattr(processor, 'size', None)},"
        f" crop_size={getattr(processor, 'crop_size', None)}{patches}. Use a checkpoint"
        " with a fixed square input, or register a loader of your own."
    )
