"""Measure how well image-text retrieval models find the right report when part of the
image is hidden.

The public names are imported on first use, so that the pytest plugin costs nothing to
projects that do not use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api import (
        dataset_from_lists,
        encoder_from_callables,
        evaluate,
        load_dataset,
        load_model,
        load_occluder,
    )
    from .breaking import find_breaking, sensitivity_map
    from .metrics.recall import recall_at_k
    from .ranking import positive_ranks, positive_ranks_both, top_k

__version__ = "0.1.0"
__all__ = [
    "dataset_from_lists",
    "encoder_from_callables",
    "evaluate",
    "find_breaking",
    "load_dataset",
    "load_model",
    "load_occluder",
    "positive_ranks",
    "positive_ranks_both",
    "recall_at_k",
    "sensitivity_map",
    "top_k",
]

_HOMES = {
    "dataset_from_lists": ".api",
    "encoder_from_callables": ".api",
    "evaluate": ".api",
    "find_breaking": ".breaking",
    "load_dataset": ".api",
    "load_model": ".api",
    "load_occluder": ".api",
    "positive_ranks": ".ranking",
    "positive_ranks_both": ".ranking",
    "recall_at_k": ".metrics.recall",
    "sensitivity_map": ".breaking",
    "top_k": ".ranking",
}


def __dir__() -> list[str]:
    """The public names alone, for completion: the modules are no part of the interface."""
    return [*__all__, "__version__"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name], __name__), name)
