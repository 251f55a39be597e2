"""Numbers of layers that no network has, told from its settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...core.errors import ModelError

MOST_LAYERS = 10_000
_COUNTS_LAYERS = re.compile(r"(^|_)(n_layer|layers|depths?)$")
"""`layers` of open_clip, `num_hidden_layers`, `n_layer` and `depths` of transformers."""
_LONGEST = 10**12
_DEEPEST = 4
"""Parts within parts that are looked at: settings have two."""


def require_few_layers(name: str, settings: Mapping[str, Any]) -> None:
    """`ModelError` for more layers than any network has.

    Networks are built layer by layer, so that a damaged number would never end.
    """
    for key, count in _counts(settings, _DEEPEST):
        if count > MOST_LAYERS:
            raise ModelError(
                f"Expected at most {MOST_LAYERS:,} layers in the settings of {name}, got"
                f" {key}={_shown(count)}. Download the repository again."
            )


def _shown(count: int) -> str:
    """A damaged number may have more digits than Python writes, or anybody reads."""
    return str(count) if count < _LONGEST else f"{_LONGEST:.0e} or more"


def _counts(settings: Mapping[str, Any], depth: int) -> Iterator[tuple[str, int]]:
    """Every number of layers with its key, in parts down to a depth."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            if depth:
                yield from _counts(value, depth - 1)
        elif _COUNTS_LAYERS.search(str(key)):
            values = value if isinstance(value, list | tuple) else [value]
            yield from ((key, each) for each in values if isinstance(each, int))
