"""open_clip's network, transform and tokenizer, created with a user's overrides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
from open_clip.tokenizer import HFTokenizer

from ....core.catalogue import unknown_name
from ....core.errors import ConfigError, ModelError, NotOnThisMachineError, RobustError
from ....core.foreign import described
from ... import LoadRequest
from ..._files.attempt import attempt, missing_package, shown_path
from ..._files.hub import how_to_download
from ..._files.hub_cache import first_cached
from ..._files.network import is_forbidden, offline_unless
from ..._files.tokenizer import (
    VOCABULARIES,
    check_tokenizer,
    has_vocabulary,
    needs_package,
    require_fit,
    unreadable_tokenizer,
)
from ..preprocessing import checked_overrides
from ..quiet import quietly
from .architecture import Architecture
from .versions import Network, hugging_face_tokenizer, own_tokenizer, trained, untrained

_FILTERS = ("bicubic", "bilinear")
"""Interpolations that open_clip's own transform knows."""
_ARGUMENTS = {
    "mean": "image_mean",
    "std": "image_std",
    "interpolation": "image_interpolation",
    "resize": "image_resize_mode",
    "size": "force_image_size",
}
"""The overrides of a user as arguments of open_clip."""
_RESIZE_MODES = {"exact": "squash", "longest": "longest", "shortest": "shortest"}


@dataclass(frozen=True)
class Created:
    """What open_clip makes of an architecture."""

    model: Any
    preprocess: Any
    """The transform for evaluation."""
    tokenizer: Any


def create_trained(
    name: str,
    architecture: Architecture,
    request: LoadRequest,
    tag: str,
    *,
    quick_gelu: bool,
) -> Created:
    """An architecture with one of open_clip's published weight tags."""

    def make(overrides: dict[str, Any]) -> Network:
        return trained(architecture, tag, quick_gelu=quick_gelu, overrides=overrides)

    return _create(name, architecture, request, make)


def create_untrained(
    name: str, architecture: Architecture, request: LoadRequest
) -> Created:
    """An architecture with random weights, for a checkpoint to replace."""
    return _create(name, architecture, request, partial(untrained, architecture))


def _create(
    name: str,
    architecture: Architecture,
    request: LoadRequest,
    make: Callable[[dict[str, Any]], Network],
) -> Created:
    # Before the network is built, which takes seconds.
    overrides = _overrides(name, request)

    def create() -> Created:
        with offline_unless(request.may_download), quietly():
            # Before the network too: what it lacks is known at once.
            tokenizer = _tokenizer(name, architecture, request.tokenizer)
            model, preprocess = make(overrides)
            return Created(model, preprocess, tokenizer)

    explain = partial(loading_error, name, may_download=request.may_download)
    created = attempt(create, explain)
    # open_clip's own tokenizer always fits its architectures.
    if isinstance(created.tokenizer, HFTokenizer):
        words = len(created.tokenizer.tokenizer)
        rows = _embedding_rows(created.model)
        require_fit(name, words, rows, request.tokenizer or "its own")
    return created


def _overrides(name: str, request: LoadRequest) -> dict[str, Any]:
    """The user's overrides of preprocessing as arguments of open_clip."""
    if "image_processor" in request.options:
        raise ConfigError(
            f"Expected no image_processor for {name}, whose open_clip configuration"
            " declares how images are prepared, got one. Leave it out, or override the"
            " declaration with preprocessing."
        )
    overrides = checked_overrides(name, request.options.get("preprocessing", {}))
    interpolation = overrides.get("interpolation")
    if interpolation is not None and interpolation not in _FILTERS:
        raise unknown_name("interpolation of open_clip", interpolation, _FILTERS)
    arguments = {_ARGUMENTS[key]: value for key, value in overrides.items()}
    if "resize" in overrides:
        arguments["image_resize_mode"] = _RESIZE_MODES[overrides["resize"]]
    return arguments


def _embedding_rows(model: Any) -> int | None:
    """Rows of the table of word embeddings, in open_clip's tower or transformers'."""
    text = getattr(model, "text", model)
    table = getattr(text, "token_embedding", None)
    if table is None:
        table = text.transformer.get_input_embeddings()
    return getattr(table, "num_embeddings", None)


def _tokenizer(name: str, architecture: Architecture, requested: str | None) -> Any:
    """The requested tokenizer; else the folder's own, or the one that its configuration
    names; else open_clip's.
    """
    text = architecture.text_config()
    named = text.get("hf_tokenizer_name")
    # open_clip's own byte pairs belong to the weights.
    if requested is not None and not named:
        raise ConfigError(
            f"Expected no tokenizer for {name}, whose text tower has open_clip's own,"
            f" got tokenizer={shown_path(requested)!r}. Leave it out."
        )
    folder = architecture.folder
    # A folder's own vocabulary goes before the one that its configuration names.
    lacks_own = folder is not None and not has_vocabulary(folder)
    is_elsewhere = folder is None or lacks_own
    if not named or (requested is None and not is_elsewhere):
        return own_tokenizer(architecture)
    source = requested or _cached_words(str(named))
    check_tokenizer(name, source)

    def read() -> HFTokenizer:
        return hugging_face_tokenizer(source, text)

    return attempt(read, partial(unreadable_tokenizer, name, source))


def _cached_words(repository: str) -> str:
    """Without a network, the folder of a repository's vocabulary; else the repository.

    transformers asks the hub for a repository's config.json even where there is none,
    and fails if it may not ask. It reads a folder without one.
    """
    vocabulary = first_cached(repository, VOCABULARIES)
    # Of a repository that is cached in part, the rest is fetched where that is allowed.
    if vocabulary is None or not is_forbidden():
        return repository
    return str(vocabulary.parent)


def published_file(published: dict[str, Any], request: LoadRequest) -> Path:
    """The cached file of a published tag, fetched if the request allows it."""
    with offline_unless(request.may_download):
        return Path(open_clip.pretrained.download_pretrained(published))


def repository_of(published: dict[str, Any]) -> str | None:
    """The hub's repository of a published tag; None for weights from elsewhere."""
    # The repository's name and a file's, which may be empty.
    return str(published.get("hf_hub") or "").rpartition("/")[0] or None


def loading_error(
    name: str,
    error: BaseException,
    repository: str | None = None,
    *,
    may_download: bool = False,
) -> RobustError:
    """The error for an architecture or weights that open_clip could not load."""
    package = missing_package(error)
    if package is not None:
        return needs_package(name, "open_clip model", package)
    if "Unknown model (" in str(error):
        return ModelError(
            f"Expected an image tower of {name} that the installed timm knows, got one"
            " that it does not. Run `pip install --upgrade timm open_clip_torch`."
        )
    if _is_absence(error):
        how = "Run once with network access"
        if repository is not None:
            how = how_to_download(repository, error)
        # Whoever may download already is not told to allow it.
        allow = ""
        if not may_download and not is_forbidden():
            allow = ", or allow downloads (--robust-download)"
        return NotOnThisMachineError(
            f"Expected the weights of {name} in the Hugging Face cache or on the hub,"
            f" got {described(error)}. {how}{allow}."
        )
    return ModelError(
        f"Expected a whole open_clip checkpoint for {name}, got {described(error)}. The"
        " architecture and the checkpoint must belong together; load or download the"
        " matching one."
    )


def _is_absence(error: BaseException) -> bool:
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    absences = (LocalEntryNotFoundError, OfflineModeIsEnabled)
    if isinstance(error, absences) or isinstance(error.__cause__, absences):
        return True
    return "Failed to download" in str(error)
