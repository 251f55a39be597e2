"""`hf:ORG/NAME[@REV]`, `open_clip:ARCH/TAG` and `local-dir:PATH` as catalogue entries."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ..errors import ConfigError, NotOnThisMachineError
from ..options import slug
from . import DualEncoder, LoadRequest, ModelEntry
from ._files.hub import is_open_clip_repository, missing_from_hub


def is_locator(item: str) -> bool:
    return item.partition(":")[0] in _READERS and ":" in item


def entry_for(locator: str) -> ModelEntry:
    """The entry of a locator; `ConfigError` when it is malformed. Nothing is loaded."""
    scheme, _, rest = locator.partition(":")
    if not rest:
        raise ConfigError(
            f"Expected {_FORMS[scheme]}, got model={locator!r}. Write what comes after"
            " the colon."
        )
    return _READERS[scheme](rest)


def _hf(rest: str) -> ModelEntry:
    repository, _, revision = rest.partition("@")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", repository):
        raise ConfigError(
            f"Expected {_FORMS['hf']}, got model='hf:{rest}'. Fix the repository's"
            " name."
        )
    name = slug(f"hf-{rest}")

    def load(request: LoadRequest) -> DualEncoder:
        if is_open_clip_repository(repository, revision or None, request):
            from ._formats.open_clip import load_repository

            return load_repository(name, repository, request, revision or None)
        from ._formats.transformers import load_pretrained

        return load_pretrained(
            name,
            repository,
            request,
            revision=revision or None,
            shown_source=f"hf:{rest}",
        )

    return ModelEntry(
        name,
        f"{repository} of the Hugging Face hub",
        load,
        lambda _: missing_from_hub(name, repository, revision or None),
        accepts=_OPTIONS,
    )


def _open_clip(rest: str) -> ModelEntry:
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

    return ModelEntry(name, f"open_clip's {architecture} with the weights {tag}", load)


def _local_dir(rest: str) -> ModelEntry:
    # A path stays out of names and results: they hold the folder's own name alone.
    base = Path(rest).resolve().name
    return folder_entry(slug(f"local-dir-{base}"), Path(rest), f"local-dir:{base}")


def folder_entry(name: str, folder: Path, shown_source: str) -> ModelEntry:
    """A folder that describes itself: `config.json` (transformers) or
    `open_clip_config.json` (open_clip).
    """

    def load(request: LoadRequest) -> DualEncoder:
        if (folder / "open_clip_config.json").is_file():
            from ._formats.open_clip import load_folder

            return load_folder(name, folder, request, shown_source=shown_source)
        reason = missing(request)
        if reason is not None:
            raise NotOnThisMachineError.because(reason)
        from ._formats.transformers import load_pretrained

        return load_pretrained(name, str(folder), request, shown_source=shown_source)

    def missing(_: LoadRequest) -> str | None:
        if (folder / "open_clip_config.json").is_file() or (
            folder / "config.json"
        ).is_file():
            return None
        if folder.exists() and not folder.is_dir():
            return (
                "expected a folder with config.json or open_clip_config.json for"
                f" {name}, got {shown_source!r}, which is a file; name it as checkpoint"
                " in a [models.NAME] table, with the loader that reads it"
            )
        return (
            f"expected a folder with config.json or open_clip_config.json for {name},"
            f" got {shown_source!r} without one; save the model there or fix the path"
        )

    return ModelEntry(
        name,
        f"the checkpoint folder {folder.resolve().name}",
        load,
        missing,
        fetchable=False,
        accepts=_OPTIONS,
    )


_OPTIONS = ("tokenizer", "preprocessing")
_READERS: dict[str, Callable[[str], ModelEntry]] = {
    "hf": _hf,
    "open_clip": _open_clip,
    "local-dir": _local_dir,
}
_FORMS = {
    "hf": "hf:ORG/NAME[@REV]",
    "open_clip": "open_clip:ARCH/TAG",
    "local-dir": "local-dir:PATH",
}
