"""Catalogue entries of models whose repository on the hub holds weights, and no layout
that a library reads by itself.

Imports no model library: entries are made whenever the catalogue is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import DualEncoder, LoadRequest, ModelEntry
from .._files.checkpoint import revision_of
from .._files.hub_files import (
    HubFile,
    hub_file,
    missing_hub_file,
    only_weights_in,
)
from .._files.plain_files import PlainFile, local_file, missing_file
from .._files.tokenizer import has_vocabulary, missing_tokenizer

if TYPE_CHECKING:
    from .recipe import Recipe


def hosted_system(
    name: str,
    summary: str,
    recipe: Callable[[], Recipe],
    file: HubFile,
    tokenizer: str | None = None,
) -> ModelEntry:
    """A system in its authors' own format, on the hub.

    Its tokenizer lies beside the weights, or else in the repository `tokenizer`.
    """

    def load(request: LoadRequest) -> DualEncoder:
        from .recipe import load_system

        checkpoint = request.checkpoint
        if checkpoint is not None:
            folder = _own_folder(checkpoint)
            completed = _with_tokenizer(request, folder, tokenizer)
            source = _shown(checkpoint)
            return load_system(name, checkpoint, completed, recipe(), source=source)
        weights = hub_file(name, file, request)
        completed = _with_tokenizer(request, weights.parent, tokenizer)
        source = f"hf:{file.repository}"
        model = load_system(name, weights, completed, recipe(), source=source)
        model.card = replace(model.card, revision=revision_of(weights.parent))
        return model

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        reason = missing_hub_file(name, file)
        if reason is not None or tokenizer is None or request.tokenizer is not None:
            return reason
        weights = hub_file(name, file, replace(request, may_download=False))
        if has_vocabulary(weights.parent):
            return None
        return missing_tokenizer(name, tokenizer)

    accepts = ("checkpoint", "tokenizer", "context_length", "weights")
    return ModelEntry(name, summary, load, missing, accepts=accepts)


def _own_folder(checkpoint: Path) -> Path | None:
    """The folder of the user's own weights, whose vocabulary is theirs; None for none."""
    if checkpoint.is_dir():
        return checkpoint
    # A file may lie beside anything, unless it is the folder's only one of weights.
    folder = checkpoint.parent
    return folder if only_weights_in(folder) == checkpoint else None


def _with_tokenizer(
    request: LoadRequest, folder: Path | None, tokenizer: str | None
) -> LoadRequest:
    """The request with the vocabulary of the weights' folder, unless it names one."""
    if request.tokenizer is not None:
        return request
    if folder is not None and has_vocabulary(folder):
        tokenizer = str(folder)
    return replace(request, tokenizer=tokenizer)


def open_clip_file_model(
    name: str,
    summary: str,
    architecture: str,
    file: HubFile | PlainFile,
    *,
    licence: str,
    terms: str | None = None,
) -> ModelEntry:
    """A plain file of weights for one of open_clip's own architectures."""

    def load(request: LoadRequest) -> DualEncoder:
        from .open_clip import load_file

        checkpoint = request.checkpoint
        named = request.name or name
        if checkpoint is not None:
            source = _shown(checkpoint)
            return load_file(named, architecture, checkpoint, request, source=source)
        if isinstance(file, HubFile):
            weights = hub_file(name, file, request)
            source = f"hf:{file.repository}"
        else:
            weights = local_file(name, file, request)
            source = file.page
        model = load_file(named, architecture, weights, request, source=source)
        # The file itself does not say it; its page does.
        model.card = replace(
            model.card,
            licence=licence,
            terms=terms,
            revision=revision_of(weights.parent),
        )
        return model

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        if isinstance(file, HubFile):
            return missing_hub_file(name, file)
        return missing_file(name, file, request)

    is_fetchable = isinstance(file, HubFile) or file.url is not None
    return ModelEntry(
        name,
        summary,
        load,
        missing,
        fetchable=is_fetchable,
        accepts=("checkpoint", "preprocessing", "weights"),
    )


def _shown(checkpoint: Path) -> str:
    # Cards and results never hold a path, only the file's own name.
    return f"checkpoint:{checkpoint.name}"
