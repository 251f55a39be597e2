"""Catalogue entries of published models, one function per way to publish one.

Imports no model library: entries are made whenever the catalogue is read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .. import DualEncoder, LoadRequest, ModelEntry
from .._files.hub import missing_from_hub, repository_folder
from .._files.hub_cache import cached_folder
from .._files.plain_files import PlainFile, check_published, local_file, missing_file
from .._files.tokenizer import missing_tokenizer

if TYPE_CHECKING:
    from .recipe import Recipe


# Models of the hub


def transformers_model(
    name: str, summary: str, repository: str, *, terms: bool = False
) -> ModelEntry:
    """A model of the hub that transformers knows; its `terms` must be accepted first."""

    def load(request: LoadRequest) -> DualEncoder:
        if request.checkpoint is not None:
            return _load_folder(name, request.checkpoint, request)
        from .transformers import load_pretrained

        return load_pretrained(
            name, repository, request, shown_source=f"hf:{repository}"
        )

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        return missing_from_hub(name, repository, terms=terms)

    return ModelEntry(name, summary, load, missing, accepts=_HUB_OPTIONS)


def open_clip_model(
    name: str, summary: str, repository: str, *, tower: str | None = None
) -> ModelEntry:
    """A model of the hub that open_clip knows; `tower` is its text tower's repository."""

    def load(request: LoadRequest) -> DualEncoder:
        if request.checkpoint is not None:
            return _load_folder(name, request.checkpoint, request)
        from .open_clip import load_repository

        return load_repository(name, repository, request)

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        reason = missing_from_hub(name, repository)
        # The configuration of a cached repository names the text tower itself.
        if reason is None or tower is None or cached_folder(repository) is not None:
            return reason
        return f"{reason}, and its text tower with `hf download {tower}`"

    return ModelEntry(name, summary, load, missing, accepts=_HUB_OPTIONS)


def clip_model(name: str, summary: str, repository: str) -> ModelEntry:
    """A CLIP of the hub.

    A user's own file may be in OpenAI's key layout, a folder in either library's.
    """

    def load(request: LoadRequest) -> DualEncoder:
        checkpoint = request.checkpoint
        if checkpoint is None:
            from .transformers import load_pretrained

            return load_pretrained(
                name, repository, request, shown_source=f"hf:{repository}"
            )
        # Only a folder has the configuration that either library needs.
        if checkpoint.is_dir():
            return _load_folder(name, checkpoint, request)
        from .openai_clip import OPENAI_CLIP
        from .recipe import load_system

        source = _shown(checkpoint)
        return load_system(name, checkpoint, request, OPENAI_CLIP, source=source)

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        return missing_from_hub(name, repository)

    return ModelEntry(name, summary, load, missing, accepts=("checkpoint", "weights"))


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
