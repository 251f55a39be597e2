"""`hf:ORG/NAME[@REV]`, `open_clip:ARCH/TAG`, `local-dir:PATH` and plain paths as entries."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from ..core.errors import ConfigError, NotOnThisMachineError
from ..core.names import slug
from . import DualEncoder, LoadRequest, ModelEntry
from ._files.checkpoint import weight_files
from ._files.hub import is_open_clip_repository, missing_from_hub


def is_locator(item: str) -> bool:
    """Whether an item names a model by where it lies.

    A path without `local-dir:` does too if it has a separator and exists.
    """
    return _has_scheme(item) or _is_path(item)


def _has_scheme(item: str) -> bool:
    scheme, colon, _ = item.partition(":")
    return bool(colon) and scheme in _READERS


def _is_path(item: str) -> bool:
    # A plain name is one of the catalogue, whatever lies in this folder.
    return any(sign in item for sign in "/\\") and os.path.exists(item)


def entry_for(locator: str) -> ModelEntry:
    """The entry of a locator; `ConfigError` if it is malformed. Nothing is loaded."""
    if not _has_scheme(locator):
        return _folder_locator(locator)
    scheme, _, rest = locator.partition(":")
    if not rest:
        raise ConfigError(
            f"Expected {_FORMS[scheme]}, got model={locator!r}. Add what follows the"
            " colon."
        )
    return _READERS[scheme](rest)


def _hub_locator(rest: str) -> ModelEntry:
    repository, _, revision = rest.partition("@")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", repository):
        raise ConfigError(
            f"Expected {_FORMS['hf']}, got model='hf:{rest}'. Fix the repository's"
            " name."
        )
    name = slug(f"hf-{rest}")
    return ModelEntry(
        name,
        f"{repository} of the Hugging Face hub",
        lambda request: load_from_hub(name, repository, revision or None, request),
        lambda _: missing_from_hub(name, repository, revision or None),
        accepts=_OPTIONS,
    )


def load_from_hub(
    name: str, repository: str, revision: str | None, request: LoadRequest
) -> DualEncoder:
    """A hub repository through the library whose layout it has."""
    # Repositories of open_clip may hold no config.json, which transformers needs.
    if is_open_clip_repository(repository, revision, request):
        from ._formats.open_clip import load_repository

        return load_repository(name, repository, request, revision)
    from ._formats.transformers import load_pretrained

    source = f"hf:{repository}"
    if revision is not None:
        source = f"hf:{repository}@{revision}"
    return load_pretrained(
        name,
        repository,
        request,
        revision=revision,
        shown_source=source,
        trust_remote_code=bool(request.options.get("trust_remote_code")),
    )


def _open_clip_locator(rest: str) -> ModelEntry:
    architecture, _, tag = rest.rpartition("/")
    if not architecture or not tag:
        raise ConfigError(
            f"Expected {_FORMS['open_clip']}, got model='open_clip:{rest}'. Add the"
            " weight tag."
        )
    name = slug(f"open_clip-{rest}")

    def load(request: LoadRequest) -> DualEncoder:
        from ._formats.open_clip import load_tag

        return load_tag(name, architecture, tag, request)

    return ModelEntry(
        name,
        f"open_clip's {architecture} with the weights {tag}",
        load,
        accepts=("tokenizer", "preprocessing"),
    )


def _folder_locator(rest: str) -> ModelEntry:
    folder = _described_folder(Path(rest))
    # Names and results never hold a path, only the folder's own name.
    base = folder.resolve().name
    return folder_entry(slug(f"local-dir-{base}"), folder, f"local-dir:{base}")


def _described_folder(path: Path) -> Path:
    """The folder of a weights file that lies beside its configuration; else the path."""
    folder = path.parent
    # The libraries choose the file of a folder themselves: it has to be this one.
    is_whole = path.is_file() and _describes_itself(folder)
    return folder if is_whole and weight_files(folder) == [path] else path


def folder_entry(name: str, folder: Path, shown_source: str) -> ModelEntry:
    """A folder that describes itself, in the layout of either library.

    That is, with `config.json` (transformers) or `open_clip_config.json` (open_clip).
    """

    def load(request: LoadRequest) -> DualEncoder:
        if _is_of_open_clip(folder):
            from ._formats.open_clip import load_folder

            return load_folder(name, folder, request, shown_source=shown_source)
        # For callers that did not call `missing` first.
        reason = missing(request)
        if reason is not None:
            raise NotOnThisMachineError.because(reason)
        from ._formats.transformers import load_pretrained

        return load_pretrained(name, str(folder), request, shown_source=shown_source)

    def missing(_: LoadRequest) -> str | None:
        return _missing_config(name, folder, shown_source)

    return ModelEntry(
        name,
        f"the checkpoint folder {folder.resolve().name}",
        load,
        missing,
        fetchable=False,
        accepts=_OPTIONS,
    )


def _is_of_open_clip(folder: Path) -> bool:
    return (folder / "open_clip_config.json").is_file()


def _describes_itself(folder: Path) -> bool:
    return _is_of_open_clip(folder) or (folder / "config.json").is_file()


def _missing_config(name: str, folder: Path, shown_source: str) -> str | None:
    """The sentence for a folder that does not describe itself, or None."""
    if _describes_itself(folder):
        return None
    if folder.exists() and not folder.is_dir():
        file = folder.resolve().name
        return (
            "expected a folder with config.json or open_clip_config.json for"
            f" {name}, got {shown_source!r}, which is a file; name it as checkpoint"
            " in a [models.NAME] table, with the loader that reads it (in robust.toml:"
            f' checkpoint = "{file}", and loader = "open_clip" with architecture ='
            ' "ViT-B-16", or as loader the published model whose layout it has)'
        )
    return (
        f"expected a folder with config.json or open_clip_config.json for {name},"
        f" got {shown_source!r} without one; save the model there or fix the path"
    )


_OPTIONS = ("tokenizer", "preprocessing", "image_processor", "weights")
_READERS: dict[str, Callable[[str], ModelEntry]] = {
    "hf": _hub_locator,
    "open_clip": _open_clip_locator,
    "local-dir": _folder_locator,
}
_FORMS = {
    "hf": "hf:ORG/NAME[@REV]",
    "open_clip": "open_clip:ARCH/TAG",
    "local-dir": "local-dir:PATH",
}
