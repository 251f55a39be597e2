"""A user's own checkpoint as a catalogue entry: which loader reads it, and with what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.catalogue import unknown_name
from ..core.errors import ConfigError
from . import DualEncoder, LoadRequest, ModelEntry, check_accepted
from ._files.hub import missing_from_hub
from .locators import folder_entry, load_from_hub

_HUB = "hf:"


def own_entry(
    name: str,
    loader: str | None,
    checkpoint: str,
    tokenizer: str | None,
    options: Mapping[str, Any],
    catalogue: Iterable[ModelEntry],
) -> ModelEntry:
    """The entry of a user's own checkpoint: a file, a folder, or `hf:ORG/NAME[@REV]`.

    `loader` is `transformers`, `open_clip`, or a model of the catalogue whose layout
    the checkpoint has. None is for a folder that says which of the first two it is.
    Raises `ConfigError` for an unknown loader, and for an option that it does not have.
    """
    path = None if _is_hub(checkpoint) else Path(checkpoint)
    # Models that take a checkpoint lend their layout to the user's own files.
    layouts = [entry for entry in catalogue if "checkpoint" in entry.accepts]
    base = _base(name, loader, checkpoint, layouts)
    # The table names the checkpoint itself, so only the rest is compared.
    check_accepted(base, LoadRequest(name=name, tokenizer=tokenizer, options=options))

    def completed(request: LoadRequest) -> LoadRequest:
        return replace(
            request, name=name, checkpoint=path, tokenizer=tokenizer, options=options
        )

    def load(request: LoadRequest) -> DualEncoder:
        return base.load(completed(request))

    def missing(request: LoadRequest) -> str | None:
        if path is not None and not path.exists():
            return (
                f"the checkpoint of {name} does not exist: {path.name}; fix the path in"
                f" [models.{name}], which is relative to the folder of its file, or"
                " copy the checkpoint to it"
            )
        return None if base.missing is None else base.missing(completed(request))

    return ModelEntry(
        name,
        f"the checkpoint {Path(checkpoint).name}",
        load,
        missing,
        fetchable=path is None,
    )


def _base(
    name: str, loader: str | None, checkpoint: str, layouts: list[ModelEntry]
) -> ModelEntry:
    """The entry of the loader that reads the checkpoint."""
    if loader == "transformers":
        return _transformers(name, checkpoint)
    if loader == "open_clip":
        return _open_clip(name, checkpoint)
    for entry in layouts:
        if entry.name == loader:
            _require_path(loader, checkpoint)
            return entry
    if loader is not None:
        known = [
            "transformers",
            "open_clip",
            "command",
            *(entry.name for entry in layouts),
        ]
        raise unknown_name("loader", loader, known)
    if _is_hub(checkpoint):
        return _transformers(name, checkpoint)
    return folder_entry(name, Path(checkpoint), _shown(checkpoint))


def _transformers(name: str, checkpoint: str) -> ModelEntry:
    """A hub repository of either library, or a folder of transformers."""
    if not _is_hub(checkpoint):
        return _transformers_entry(name, checkpoint)
    repository, _, revision = checkpoint.removeprefix(_HUB).partition("@")
    return ModelEntry(
        name,
        _TRANSFORMERS_SUMMARY,
        lambda request: load_from_hub(name, repository, revision or None, request),
        lambda _: missing_from_hub(name, repository, revision or None),
        accepts=_TRANSFORMERS_OPTIONS,
    )


def _transformers_entry(name: str, checkpoint: str) -> ModelEntry:
    def load(request: LoadRequest) -> DualEncoder:
        from ._formats.transformers import load_pretrained

        return load_pretrained(
            name,
            checkpoint,
            request,
            shown_source=_shown(checkpoint),
            trust_remote_code=bool(request.options.get("trust_remote_code")),
        )

    return ModelEntry(name, _TRANSFORMERS_SUMMARY, load, accepts=_TRANSFORMERS_OPTIONS)


_TRANSFORMERS_SUMMARY = "a transformers checkpoint"
_TRANSFORMERS_OPTIONS = (
    "tokenizer",
    "preprocessing",
    "image_processor",
    "weights",
    "trust_remote_code",
)


def _open_clip(name: str, checkpoint: str) -> ModelEntry:
    _require_path("open_clip", checkpoint)

    def load(request: LoadRequest) -> DualEncoder:
        from ._formats.open_clip import load_file, load_folder

        path = Path(checkpoint)
        # A folder may describe its architecture; a file of weights cannot.
        architecture = request.options.get("architecture")
        if architecture is not None:
            source = _shown(checkpoint)
            return load_file(name, architecture, path, request, source=source)
        if not path.is_dir():
            raise ConfigError(
                f"Expected architecture beside the open_clip file {path.name} of"
                f' {name}, got none. Add architecture = "ViT-B-16" (a name of'
                " open_clip.list_models()), or name a folder with"
                " open_clip_config.json."
            )
        return load_folder(name, path, request, shown_source=_shown(checkpoint))

    return ModelEntry(
        name,
        "an open_clip checkpoint",
        load,
        accepts=("architecture", "tokenizer", "preprocessing", "weights"),
    )


def _is_hub(checkpoint: str) -> bool:
    return checkpoint.startswith(_HUB)


def _require_path(loader: str, checkpoint: str) -> None:
    if _is_hub(checkpoint):
        raise ConfigError(
            f"Expected a file or folder for the loader {loader}, got"
            f" checkpoint={checkpoint!r}. Download it first, or leave loader out or set"
            ' loader = "transformers".'
        )


def _shown(checkpoint: str) -> str:
    # Cards and results never hold a path, only the file's own name.
    if _is_hub(checkpoint):
        return checkpoint
    return f"checkpoint:{Path(checkpoint).resolve().name}"
