"""A model of the catalogue: how it is loaded, and what is checked of what its loader gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.catalogue import unknown_name
from ..core.errors import ModelError
from ..core.foreign import described, traced
from ..core.loaders import LoaderArguments
from ..core.memory import is_out_of_memory
from ._files.attempt import attempt
from ._files.network import asking_while_reachable
from ._files.usual_defaults import usual_defaults
from .contract import broken_member
from .encoder import DualEncoder, Precision


@dataclass(frozen=True, repr=False)
class LoadRequest:
    """How to load a model: `device` is resolved (`cpu`, `cuda:0`, `mps`), never `auto`."""

    device: str = "cpu"
    precision: Precision = "fp32"
    may_download: bool = True
    name: str | None = None
    """The name that the model gets; None for the entry's own name."""
    checkpoint: Path | None = field(default=None, repr=False)
    """The user's own file or folder of weights; None for the published ones."""
    tokenizer: str | None = field(default=None, repr=False)
    """A folder or a hub repository; None for the one that belongs to the model."""
    cache_dir: Path | None = field(default=None, repr=False)
    """Where plain weight files lie; None for the platform's cache."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further options of the entry (`preprocessing`, `context_length`, ...), checked
    against `ModelEntry.accepts`.
    """


@dataclass(frozen=True)
class ModelEntry:
    """A model of the catalogue."""

    name: str
    summary: str
    load: Callable[..., DualEncoder]
    """Takes one `LoadRequest`; or its `options` by keyword, as a data set's does."""
    missing: Callable[[LoadRequest], str | None] | None = None
    """What is not on this machine and how to get it, or None.

    Looks at files only; imports no model library.
    """
    embedded: bool = False
    """Ships in the package, so that it runs everywhere."""
    fetchable: bool = True
    """Whether loading can download what is missing."""
    accepts: tuple[str, ...] = ()
    """What a user may set beside the name: `checkpoint`, `tokenizer` and the entry's own
    options.
    """


def check_accepted(entry: ModelEntry, request: LoadRequest) -> None:
    """Raise `ConfigError` if the request sets an option that the entry does not accept."""
    set_options = [*request.options]
    if request.checkpoint is not None:
        set_options.append("checkpoint")
    if request.tokenizer is not None:
        set_options.append("tokenizer")
    for option in set_options:
        if option not in entry.accepts:
            raise unknown_name(f"option of {entry.name}", option, entry.accepts)


_MEMBERS = ("name", "card", "device", "prepare", "encode_images", "encode_reports")


def load_entry(entry: ModelEntry, request: LoadRequest) -> DualEncoder:
    """Load an entry's model.

    Raises `ModelError` if the entry's own code fails, or returns anything but a dual
    encoder of the entry's name.
    """

    def explain(error: BaseException) -> ModelError:
        return _failed_load(entry, request, error)

    def missing_members(model: object) -> list[str]:
        return [member for member in _MEMBERS if not hasattr(model, member)]

    arguments = LoaderArguments(request, request.options)

    def load() -> DualEncoder:
        # Loaders of others may count on the defaults that their user has set.
        if _is_of_this_package(entry.load):
            with usual_defaults():
                return entry.load(request)
        return arguments.call_with_request(entry.load)

    # An entry may be a plugin's: its loader may raise or return anything.
    with asking_while_reachable():
        model = attempt(load, explain)
    # A property of the user's own may raise too.
    absent = attempt(lambda: missing_members(model), explain)
    if absent:
        raise ModelError(
            f"Expected load(request) of the entry {entry.name!r} to return a dual"
            f" encoder, got a {type(model).__name__} without {', '.join(absent)}. See"
            " DualEncoder, or use encoder_from_callables."
        )
    broken = attempt(lambda: broken_member(model, entry.name), explain)
    if broken is not None:
        raise ModelError(broken)
    # A run finds its results by name: two names would split them.
    if model.name != entry.name:
        raise ModelError(
            f"Expected the model of the entry {entry.name!r} to have that name, got"
            f" name={model.name!r}. Use one name for both: results are saved under it."
        )
    return model


def _is_of_this_package(load: Callable[..., DualEncoder]) -> bool:
    """Whether a loader, or the function that it completes, is in this folder."""
    function = getattr(load, "func", load)
    module: str = getattr(function, "__module__", "")
    return module.startswith(f"{__package__}.")


def _failed_load(
    entry: ModelEntry, request: LoadRequest, error: BaseException
) -> ModelError:
    """The error of an entry whose own code raised."""
    return traced(_without_trace(entry, request, error), error)


def _without_trace(
    entry: ModelEntry, request: LoadRequest, error: BaseException
) -> ModelError:
    if is_out_of_memory(error):
        return ModelError(
            f"Expected room for {entry.name} on {request.device}, got"
            f" {described(error)}. See what else runs on it, or choose a lower"
            " precision or another device."
        )
    return ModelError(
        f"Expected load(request) of the entry {entry.name!r} to return a model, got"
        f" {described(error)}. Fix the loader."
    )
