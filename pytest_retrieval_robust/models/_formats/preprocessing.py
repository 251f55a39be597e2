"""What a user may say of a checkpoint's preprocessing, and the check of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from PIL import Image

from ...core.catalogue import unknown_name
from ...core.errors import ConfigError
from .geometry import Resize

FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}
WITHOUT_ANTIALIAS = "bilinear-no-antialias"
"""TensorFlow's plain bilinear resize, cut to whole grey levels.

Some model cards prescribe it beside their processor.
"""


def checked_overrides(name: str, overrides: object) -> dict[str, Any]:
    """The overrides of a model's preprocessing, by the keys of `OVERRIDES`.

    Raises `ConfigError` for an unknown key or a wrong value, and says what is close.
    """
    if not isinstance(overrides, Mapping):
        raise ConfigError(
            f"Expected a table of overrides ({', '.join(OVERRIDES)}) for {name}, got"
            f" preprocessing={overrides!r}."
        )
    for key, value in overrides.items():
        if key not in OVERRIDES:
            raise unknown_name(f"override of {name}'s preprocessing", key, OVERRIDES)
        OVERRIDES[key](name, key, value)
    return dict(overrides)


def _check_size(name: str, key: str, value: object) -> None:
    # True is an integer of Python, and no size.
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(
            f"Expected a size in pixels for {name}, got {key}={value!r}. Use a whole"
            " number."
        )


def _check_resize(_: str, key: str, value: object) -> None:
    _check_word(key, value, get_args(Resize))


def _check_interpolation(_: str, key: str, value: object) -> None:
    _check_word(key, value, (*FILTERS, WITHOUT_ANTIALIAS))


def _check_word(key: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise unknown_name(key, str(value), known)


def _check_channels(name: str, key: str, value: Any) -> None:
    is_triple = isinstance(value, list | tuple) and len(value) == 3
    if is_triple and all(isinstance(number, int | float) for number in value):
        return
    raise ConfigError(
        f"Expected three numbers on the 0..1 scale for {name}, got"
        f" {key}={value!r}. Use one per channel."
    )


OVERRIDES: dict[str, Callable[[str, str, object], None]] = {
    "size": _check_size,
    "resize": _check_resize,
    "interpolation": _check_interpolation,
    "mean": _check_channels,
    "std": _check_channels,
}
"""What a user may override, with the check of each.

`size` in pixels, `resize` one of `shortest`, `longest`, `exact`, `interpolation` one of
`FILTERS` or `WITHOUT_ANTIALIAS`, `mean` and `std` of the three channels on the 0..1
scale.
"""
