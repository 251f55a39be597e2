"""Catalogue entries of published models, one function per way to publish one.

Imports no model library: entries are made whenever the catalogue is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import ConfigError
from .. import DualEncoder, LoadRequest, ModelEntry
from .._files.hub import missing_from_hub, not_from_hub, repository_folder
from .._files.hub_cache import (
    OPEN_CLIP_CONFIG,
    OPEN_CLIP_WEIGHTS,
    cached_folder,
    first_cached,
)
from .._files.plain_files import PlainFile, check_published, local_file, missing_file
from .._files.tokenizer import missing_tokenizer

if TYPE_CHECKING:
    from .open_clip.encoder import OpenClipEncoder
    from .recipe import Recipe
    from .transformers.encoder import TransformersEncoder


# Models of the hub


def transformers_model(
    name: str,
    summary: str,
    repository: str,
    *,
    licence: str | None = None,
    terms: bool = False,
) -> ModelEntry:
    """A model of the hub that transformers knows; its `terms` must be accepted first."""

    def load(request: LoadRequest) -> DualEncoder:
        if request.checkpoint is not None:
            return _load_folder(name, request.checkpoint, request)
        from .transformers import load_pretrained

        model = load_pretrained(
            name, repository, request, shown_source=f"hf:{repository}"
        )
        return _stated(model, licence, terms=terms)

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        return missing_from_hub(name, repository, terms=terms)

    return ModelEntry(name, summary, load, missing, accepts=_HUB_OPTIONS)


def open_clip_model(
    name: str,
    summary: str,
    repository: str,
    *,
    tower: str | None = None,
    licence: str | None = None,
) -> ModelEntry:
    """A model of the hub that open_clip knows; `tower` is its text tower's repository."""

    def load(request: LoadRequest) -> DualEncoder:
        if request.checkpoint is not None:
            return _load_folder(name, request.checkpoint, request)
        from .open_clip import load_repository

        return _stated(load_repository(name, repository, request), licence)

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        reason = missing_from_hub(name, repository)
        # The configuration of a cached repository names the text tower itself.
        if reason is None or tower is None or cached_folder(repository) is not None:
            return reason
        return f"{reason}, and its text tower with `hf download {tower}`"

    return ModelEntry(name, summary, load, missing, accepts=_HUB_OPTIONS)


def open_clip_tag_model(
    name: str,
    summary: str,
    tag: OpenClipTag,
    *,
    licence: str,
) -> ModelEntry:
    """Published weights of open_clip by their tag, which also says how they are read."""

    def load(request: LoadRequest) -> DualEncoder:
        from .open_clip import load_file, load_tag

        named = request.name or name
        checkpoint = request.checkpoint
        if checkpoint is None:
            model = load_tag(named, tag.architecture, tag.name, request)
            return _stated(model, licence)
        # A folder with its own configuration needs no architecture.
        if (checkpoint / OPEN_CLIP_CONFIG).is_file():
            return _load_folder(name, checkpoint, request)
        source = _shown(checkpoint)
        return load_file(named, tag.architecture, checkpoint, request, source=source)

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        return _missing_tag(name, tag, request)

    return ModelEntry(name, summary, load, missing, accepts=_TAG_OPTIONS)


@dataclass(frozen=True)
class OpenClipTag:
    """Weights that open_clip publishes for one of its architectures."""

    architecture: str
    name: str
    repository: str
    """Where they lie on the hub."""
    tokenizer: str | None = None
    """The repository of the tokenizer; None for open_clip's own."""


def _missing_tag(name: str, tag: OpenClipTag, request: LoadRequest) -> str | None:
    if first_cached(tag.repository, OPEN_CLIP_WEIGHTS) is None:
        return not_from_hub(name, tag.repository)
    if tag.tokenizer is None or request.tokenizer is not None:
        return None
    return missing_tokenizer(name, tag.tokenizer)


def clip_model(
    name: str, summary: str, repository: str, *, licence: str | None = None
) -> ModelEntry:
    """A CLIP of the hub.

    A user's own file may be in OpenAI's key layout, a folder in either library's.
    """

    def load(request: LoadRequest) -> DualEncoder:
        checkpoint = request.checkpoint
        if checkpoint is None:
            from .transformers import load_pretrained

            model = load_pretrained(
                name, repository, request, shown_source=f"hf:{repository}"
            )
            return _stated(model, licence)
        # Only a folder has the configuration that either library needs.
        if checkpoint.is_dir():
            return _load_folder(name, checkpoint, request)
        from .openai_clip import OPENAI_CLIP
        from .recipe import load_system

        _require_no_picture(request.name or name, request)
        source = _shown(checkpoint)
        return load_system(name, checkpoint, request, OPENAI_CLIP, source=source)

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        return missing_from_hub(name, repository)

    return ModelEntry(name, summary, load, missing, accepts=_HUB_OPTIONS)


def _require_no_picture(name: str, request: LoadRequest) -> None:
    """Refuse what decides the picture of a folder: a file in OpenAI's layout has CLIP's."""
    for option in ("preprocessing", "image_processor"):
        if option in request.options:
            raise ConfigError(
                f"Expected no {option} for a file in OpenAI's key layout, which {name}"
                f" prepares images for as CLIP does, got one. Leave {option} out, or"
                " pass as checkpoint a folder that model.save_pretrained(FOLDER) wrote."
            )


def biovil_model(name: str, summary: str, repository: str) -> ModelEntry:
    """BioViL's: a repository that holds the image weights beside the text model."""

    def load(request: LoadRequest) -> DualEncoder:
        from .biovil import load as load_biovil

        checkpoint = request.checkpoint
        if checkpoint is not None:
            return load_biovil(name, checkpoint, request, source=_shown(checkpoint))
        folder = repository_folder(name, repository, request)
        return load_biovil(name, folder, request, source=f"hf:{repository}")

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        return missing_from_hub(name, repository)

    accepts = ("checkpoint", "tokenizer", "context_length")
    return ModelEntry(name, summary, load, missing, accepts=accepts)


_ASKED = "to be accepted on its page of the hub"


def _stated(
    model: TransformersEncoder | OpenClipEncoder,
    licence: str | None,
    *,
    terms: bool = False,
) -> DualEncoder:
    """The model, its card with the licence of the published weights.

    The repository's own card goes before what is known here: it belongs to the revision.
    """
    model.card = replace(
        model.card,
        licence=model.card.licence or licence,
        terms=_ASKED if terms else None,
    )
    return model


_TAG_OPTIONS = ("checkpoint", "tokenizer", "preprocessing", "weights")
_HUB_OPTIONS = (
    "checkpoint",
    "tokenizer",
    "preprocessing",
    "image_processor",
    "weights",
)


def _load_folder(name: str, folder: Path, request: LoadRequest) -> DualEncoder:
    """The user's own folder, by the library that it says."""
    from ..locators import folder_entry

    return folder_entry(request.name or name, folder, _shown(folder)).load(request)


# Systems in their authors' own formats


def authors_model(
    name: str,
    summary: str,
    recipe: Callable[[], Recipe],
    file: PlainFile,
    tokenizer: str | None = None,
) -> ModelEntry:
    """A system in its authors' own format, with a tokenizer of the hub or its own."""

    def load(request: LoadRequest) -> DualEncoder:
        from .recipe import load_system

        checkpoint = request.checkpoint
        if checkpoint is not None:
            source = _shown(checkpoint)
            return load_system(name, checkpoint, request, recipe(), source=source)
        # The published file has a known hash; a user's own may be anything of the layout.
        weights = local_file(name, file, request)
        model = load_system(name, weights, request, recipe(), source=file.page)
        check_published(file, model.card.sha256)
        return model

    def missing(request: LoadRequest) -> str | None:
        reason = missing_file(name, file, request)
        # The tokenizer is only looked for if the weights are there: one sentence at a time.
        if reason is None and tokenizer is not None and request.tokenizer is None:
            return missing_tokenizer(name, tokenizer)
        return reason

    accepts: tuple[str, ...] = ("checkpoint", "preprocessing", "weights")
    if tokenizer is not None:
        accepts = (*accepts, "tokenizer", "context_length")
    return ModelEntry(
        name, summary, load, missing, fetchable=file.url is not None, accepts=accepts
    )


def fetched(url: str, page: str | None = None) -> PlainFile:
    """A file that can be fetched from its address."""
    return PlainFile(url.rpartition("/")[2], page or url, url)


def _shown(checkpoint: Path) -> str:
    # Cards and results never hold a path, only the file's own name.
    return f"checkpoint:{checkpoint.name}"
