"""Weights files of hub repositories that are in neither library's layout.

The hub keeps them under names of their authors' own. Imports no model library:
`missing` runs while tests are collected.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...core.errors import ModelError, NotOnThisMachineError
from ...core.foreign import described
from .. import LoadRequest
from .attempt import attempt
from .hub import ACCEPT_TERMS, how_to_download
from .hub_cache import first_cached
from .network import get_with, is_forbidden

_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")
_BESIDE = ("*.json", "*.txt", "README.md")
"""Configuration, vocabulary and card; no code."""


@dataclass(frozen=True)
class HubFile:
    """A weights file of a repository."""

    repository: str
    names: tuple[str, ...] = ()
    """Its published names, the first that exists; empty if the authors gave none, so
    that it is the only weights file of its repository.
    """
    terms: bool = False
    """Whether its terms must be accepted on its page first."""


def missing_hub_file(name: str, file: HubFile) -> str | None:
    """The sentence for a file that is not cached on this machine, or None."""
    if _cached(file) is not None:
        return None
    first = f"{ACCEPT_TERMS}, then " if file.terms else ""
    return (
        f"the weights of {name} ({file.repository}) are not on this machine;"
        f" {first}{get_with('them', f'`hf download {file.repository}`')}"
    )


def hub_file(name: str, file: HubFile, request: LoadRequest) -> Path:
    """The cached file, fetched with what lies beside it if the request allows it.

    Raises `NotOnThisMachineError` if it is neither cached nor fetched, and `ModelError`
    for a repository whose weights file cannot be told.
    """
    cached = _cached(file)
    if cached is not None:
        return cached
    # By the hub's own switch nothing is asked for either.
    if not request.may_download or is_forbidden():
        raise NotOnThisMachineError.because(missing_hub_file(name, file) or "")

    def explain(error: BaseException) -> NotOnThisMachineError:
        advice = how_to_download(file.repository, error)
        return NotOnThisMachineError(
            f"Expected {file.repository} for {name} in the Hugging Face cache or on the"
            f" hub, got {described(error)}. {advice}, or pass the file as checkpoint."
        )

    listed = attempt(lambda: _listed(file.repository), explain)
    chosen = _chosen(name, file, listed)
    return attempt(lambda: _fetched(file.repository, chosen), explain)


def _cached(file: HubFile) -> Path | None:
    if file.names:
        return first_cached(file.repository, file.names)
    folder = _cached_snapshot(file.repository)
    return None if folder is None else only_weights_in(folder)


def only_weights_in(folder: Path) -> Path | None:
    """The file of weights in a folder that has one; None with several or without."""
    if not folder.is_dir():
        return None
    weights = [
        path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file()
    ]
    return weights[0] if len(weights) == 1 else None


def _cached_snapshot(repository: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _listed(repository: str) -> list[str]:
    from huggingface_hub import list_repo_files

    return list(list_repo_files(repository))


def _chosen(name: str, file: HubFile, listed: list[str]) -> str:
    """The weights file among the files of the repository."""
    if file.names:
        candidates = [known for known in file.names if known in listed]
    else:
        candidates = [path for path in listed if path.endswith(_SUFFIXES)]
    # The published names are in the order of preference; unknown ones have none.
    if candidates and (file.names or len(candidates) == 1):
        return candidates[0]
    expected = " or ".join(file.names) or "one weights file"
    raise ModelError(
        f"Expected {expected} in {file.repository} for {name}, got weights files:"
        f" {', '.join(candidates) or 'none'}. Download the right one and pass it as"
        " checkpoint."
    )


def _fetched(repository: str, chosen: str) -> Path:
    from huggingface_hub import snapshot_download

    folder = snapshot_download(repository, allow_patterns=[chosen, *_BESIDE])
    return Path(folder) / chosen
