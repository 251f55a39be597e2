"""A user's own checkpoint as a catalogue entry: which loader reads it, and with what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..catalogue import unknown_name
from ..errors import ConfigError
from . import DualEncoder, LoadRequest, ModelEntry, check_accepted
from ._files.hub import is_open_clip_repository, missing_from_hub
from .locators import folder_entry

_HUB = "hf:"


def own_entry(
    name: str,
    loader: str | None,
    checkpoint: str,
    tokenizer: str | None,
    options: Mapping[str, Any],
    catalogue: Iterable[ModelEntry],
) -> ModelEntry:
    """The entry of a checkpoint of the user's own: a file, a folder, or `hf:ORG/NAME[@REV]`.

    `loader` is `transformers`, `open_clip`, a model of the catalogue whose layout the
    checkpoint has, or None for a folder that says itself which of the first two it is.
    Raises `ConfigError` for an unknown loader, and for an option that it does not have.
    """
    path = None if checkpoint.startswith(_HUB) else Path(checkpoint)
    asked = LoadRequest(
        name=name, checkpoint=path, tokenizer=tokenizer, options=options
    )
    base = _base(
        name,
        loader,
        checkpoint,
        [entry for entry in catalogue if "checkpoint" in entry.accepts],
    )
    check_accepted(base, replace(asked, checkpoint=None))

    def given(request: LoadRequest) -> LoadRequest:
        return replace(
            request, name=name, checkpoint=path, tokenizer=tokenizer, options=options
        )

    def load(request: LoadRequest) -> DualEncoder:
        return base.load(given(request))

    def missing(request: LoadRequest) -> str | None:
        if path is not None and not path.exists():
            return (
                f"the checkpoint of {name} is not there: {path.name}; fix the path in"
                f" [models.{name}], which is relative to the folder of its file, or"
                " copy the checkpoint to it"
            )
        return None if base.missing is None else base.missing(given(request))

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
    if loader == "transformers":
        return _transformers(name, checkpoint)
    if loader == "open_clip":
        return _open_clip(name, checkpoint)
    for entry in layouts:
        if entry.name == loader:
            _require_path(loader, checkpoint)
            return entry
    if loader is not None:
        known = ["transformers", "open_clip", *(entry.name for entry in layouts)]
        raise unknown_name("loader", loader, known)
    if checkpoint.startswith(_HUB):
        return _transformers(name, checkpoint)
    return folder_entry(name, Path(checkpoint), _shown(checkpoint))


def _transformers(name: str, checkpoint: str) -> ModelEntry:
    source, _, revision = (
        checkpoint.removeprefix(_HUB).partition("@")
        if _is_hub(checkpoint)
        else (checkpoint, "", "")
    )

    def load(request: LoadRequest) -> DualEncoder:
        if _is_hub(checkpoint) and is_open_clip_repository(
            source, revision or None, request
        ):
            from ._formats.open_clip import load_repository

            return load_repository(name, source, request, revision or None)
        from ._formats.transformers import load_pretrained

        return load_pretrained(
            name,
            source,
            request,
            revision=revision or None,
            shown_source=_shown(checkpoint),
            trust_remote_code=bool(request.options.get("trust_remote_code")),
        )

    def missing(_: LoadRequest) -> str | None:
        return (
            missing_from_hub(name, source, revision or None)
            if _is_hub(checkpoint)
            else None
        )

    accepts = ("tokenizer", "preprocessing", "trust_remote_code")
    return ModelEntry(name, "a transformers checkpoint", load, missing, accepts=accepts)


def _open_clip(name: str, checkpoint: str) -> ModelEntry:
    _require_path("open_clip", checkpoint)

    def load(request: LoadRequest) -> DualEncoder:
        from ._formats.open_clip import load_file, load_folder

        path, architecture = Path(checkpoint), request.options.get("architecture")
        if architecture is None:
            if not path.is_dir():
                raise ConfigError(
                    f"Expected architecture beside the open_clip file {path.name} of"
                    f' {name}, got none. Add architecture = "ViT-B-16" (a name of'
                    " open_clip.list_models()), or give a folder with"
                    " open_clip_config.json."
                )
            return load_folder(name, path, request, shown_source=_shown(checkpoint))
        return load_file(name, architecture, path, request, source=_shown(checkpoint))

    return ModelEntry(
        name, "an open_clip checkpoint", load, accepts=("architecture", "preprocessing")
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
    # A path stays out of cards and results: they hold the file's own name alone.
    return (
        checkpoint
        if _is_hub(checkpoint)
        else f"checkpoint:{Path(checkpoint).resolve().name}"
    )
