"""Models, data sets, occluders and the like that a caller gave as objects or by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView, ValuesView
from typing import TYPE_CHECKING, Any, TypeAlias

from ..core.device import resolve_device
from ..core.errors import ArgumentError
from . import api
from .arguments import check_dataset, check_model, check_perturbation, device_name

if TYPE_CHECKING:
    from ..corruptions import Corruption
    from ..datasets import RetrievalDataset
    from ..models import DualEncoder
    from ..occluders import Occluder
    from ..texts.noise import TextNoise
    from .sweep.changes import Perturbation

Model: TypeAlias = "DualEncoder | str"
Dataset: TypeAlias = "RetrievalDataset | str"
AnyPerturbation: TypeAlias = "Occluder | Corruption | TextNoise | str"

_SEVERAL = (list, tuple, set, frozenset, range, Iterator, KeysView, ValuesView)
"""What holds several of them. A data set of the user's own may be iterable too."""


def is_several(value: object) -> bool:
    """Whether it holds several; arrays, tensors and columns of data frames do."""
    return isinstance(value, _SEVERAL) or _is_array(value)


def _is_array(value: object) -> bool:
    # The type is asked: a wrapper may pass on what it does not have, or raise. A single
    # number or text of NumPy has the method too.
    has_items = hasattr(type(value), "tolist") and hasattr(type(value), "__len__")
    return has_items and getattr(value, "ndim", 1) > 0 and not isinstance(value, str)


def _listed(value: Any) -> list[Any]:
    # An array's own items are numbers and texts of its library.
    items = value.tolist() if _is_array(value) else value
    return list(items)


def each(kind: str, value: Any) -> list[Any]:
    """The value itself, or those that it holds.

    Raises `ArgumentError` for none. `kind` is what one is called: `model`.
    """
    if not is_several(value):
        return [value]
    values = _listed(value)
    if not values:
        raise ArgumentError(
            f"Expected at least one {kind}, got none. Give one, or a list of them."
        )
    return values


def require_distinct(kind: str, names: Iterable[str]) -> None:
    """Raise `ArgumentError` for a name that is there twice: results are told apart by it."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ArgumentError(
                f"Expected {kind}s with different names, got name={name!r} twice. Give"
                " each one once, or another name: results are told apart by it."
            )
        seen.add(name)


def check_kinds(model: object, dataset: object, change: object = "none") -> None:
    """Check what is not a name, before anything is loaded."""
    if not isinstance(model, str):
        check_model(model)
    if not isinstance(dataset, str):
        check_dataset(dataset)
    if not isinstance(change, str):
        check_perturbation(change)


def as_dataset(dataset: Dataset) -> RetrievalDataset:
    """The data set itself, or the one of that name, opened."""
    return api.load_dataset(dataset) if isinstance(dataset, str) else dataset


def as_perturbation(change: AnyPerturbation) -> Perturbation:
    """The occluder, corruption or text noise itself, or the one that a text describes."""
    return api.load_perturbation(change) if isinstance(change, str) else change


def as_model(model: Model, device: str | None = None) -> DualEncoder:
    """The model itself, or the one of that name, loaded on `device`.

    Raises `ArgumentError` for a loaded model that is on another device.
    """
    if isinstance(model, str):
        return api.load_model(model, device="auto" if device is None else device)
    if device is not None and resolve_device(device_name(device)) != model.device:
        raise ArgumentError(
            f"Expected the device that the model is on, got device={device!r} with"
            f" {model.name} on {model.device}. Pass device to load_model instead."
        )
    return model
