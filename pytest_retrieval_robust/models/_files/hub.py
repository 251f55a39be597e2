"""Repositories of the Hugging Face hub: whether they are here, how to get them, fetching.

Imports no model library: `missing` runs while tests are collected.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...core.errors import NotOnThisMachineError, RobustError
from ...core.files import is_regular
from ...core.foreign import FOREIGN, described
from .. import LoadRequest
from .attempt import attempt
from .hub_cache import (
    OPEN_CLIP_CONFIG,
    cached_folder,
    first_cached,
    in_open_clip_layout,
    is_of_timm,
    is_open_clip_listing,
)
from .network import get_with, is_forbidden, is_unreachable, note_failure
from .tokenizer import VOCABULARIES, has_vocabulary

ACCEPT_TERMS = "accept its terms on its page of the hub and log in (`hf auth login`)"
"""How a message asks for it."""


def is_open_clip_repository(
    repository: str, revision: str | None, request: LoadRequest
) -> bool:
    """Whether a repository is in open_clip's layout: by the cache, else by the hub's list.

    The hub is asked only if the request allows downloads.
    """
    folder = cached_folder(repository, revision)
    if folder is not None:
        return in_open_clip_layout(folder)
    if not request.may_download:
        return False
    from huggingface_hub import hf_hub_download, list_repo_files

    try:
        files = set(list_repo_files(repository, revision=revision))
        if is_open_clip_listing(files) or OPEN_CLIP_CONFIG not in files:
            return is_open_clip_listing(files)
        # Two configurations: one of them may be timm's, for the image tower alone.
        config = hf_hub_download(repository, "config.json", revision=revision)
        return is_of_timm(Path(config))
    except FOREIGN as error:
        # A missing network has a dozen kinds of errors. The loader reports it.
        note_failure(error)
        return False


def missing_from_hub(
    name: str, repository: str, revision: str | None = None, *, terms: bool = False
) -> str | None:
    """The sentence for a repository that is not cached on this machine, or None.

    `terms` must be accepted on its page first. If open_clip's configuration names
    repositories for its text tower, they must be cached too.
    """
    folder = cached_folder(repository, revision)
    if folder is None:
        return not_from_hub(name, repository, revision, terms=terms)
    # transformers keeps everything in one repository.
    return missing_text_tower(name, folder) if in_open_clip_layout(folder) else None


def not_from_hub(
    name: str, repository: str, revision: str | None = None, *, terms: bool = False
) -> str:
    """The sentence for weights of a repository that are not cached."""
    first = f"{ACCEPT_TERMS}, then " if terms else ""
    download = repository
    if revision is not None:
        download = f"{repository} --revision {revision}"
    return (
        f"the weights of {name} ({repository}) are not on this machine; "
        f"{first}{get_with('them', f'`hf download {download}`')}"
    )


def missing_text_tower(name: str, folder: Path) -> str | None:
    """The sentence for the parts of an open_clip text tower that are not cached, or None.

    An open_clip configuration may take a network and a tokenizer from repositories of
    transformers.
    """
    text = open_clip_text(folder)
    network = text.get("hf_model_name")
    tokenizer = text.get("hf_tokenizer_name")
    # Repositories to download -> the file or part that each one is needed for.
    parts: list[tuple[str, str]] = []
    if network and not _has_network(network):
        parts.append((network, "config.json"))
    # A folder's own tokenizer is used before the one that its configuration names.
    if tokenizer and not has_vocabulary(folder) and not _has_tokenizer(tokenizer):
        parts.append((tokenizer, "tokenizer"))
    if not parts:
        return None
    listed = ", ".join(f"{repository} ({part})" for repository, part in parts)
    repositories = dict.fromkeys(repository for repository, _ in parts)
    downloads = " and ".join(f"`hf download {name}`" for name in repositories)
    return (
        f"what the text tower of {name} needs is not on this machine: {listed};"
        f" {get_with('it', downloads)}"
    )


def _has_network(source: str) -> bool:
    return Path(source).is_dir() or first_cached(source, ("config.json",)) is not None


def _has_tokenizer(source: str) -> bool:
    if has_vocabulary(Path(source)):
        return True
    return first_cached(source, VOCABULARIES) is not None


def open_clip_text(folder: Path) -> dict[str, Any]:
    """`text_cfg` of a folder's `open_clip_config.json`."""
    return open_clip_tower(folder, "text_cfg")


def open_clip_tower(folder: Path, tower: str) -> dict[str, Any]:
    """The settings of a tower in a folder's `open_clip_config.json`.

    Empty if they cannot be read, which the loader reports.
    """
    # Reading a FIFO of this name would never end.
    file = folder / OPEN_CLIP_CONFIG
    if not is_regular(file):
        return {}
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        return dict(config["model_cfg"][tower])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}


def repository_folder(
    name: str,
    repository: str,
    request: LoadRequest,
    patterns: list[str] | None = None,
    revision: str | None = None,
    explain: Callable[[BaseException], RobustError] | None = None,
) -> Path:
    """The snapshot of a repository, fetched if the request allows it.

    Raises `NotOnThisMachineError` if it is neither cached nor fetched, or the error that
    `explain` makes of the hub's.
    """
    from huggingface_hub import snapshot_download

    def fetch() -> Path:
        folder = snapshot_download(
            repository,
            revision=revision,
            local_files_only=not request.may_download,
            allow_patterns=patterns,
        )
        return Path(folder)

    def explain_whole(error: BaseException) -> RobustError:
        return NotOnThisMachineError(
            f"Expected {repository} for {name} in the Hugging Face cache or on the hub,"
            f" got {described(error)}. {how_to_download(repository, error)}, or pass a"
            " folder."
        )

    return attempt(fetch, explain or explain_whole)


def how_to_download(repository: str, error: BaseException | None = None) -> str:
    """How to download a repository; a gated one's terms must be accepted first."""
    first = "Run"
    if error is not None and _is_gated(error):
        first = f"{ACCEPT_TERMS.capitalize()}, then run"
    # By the user's own switch, which a missing network has no part in.
    elif is_forbidden() and not is_unreachable():
        first = "Unset HF_HUB_OFFLINE, or run"
    return f"{first} `hf download {repository}` on a machine with network access"


def _is_gated(error: BaseException) -> bool:
    # transformers replaces the hub's own error by one with these words.
    return "gated repo" in str(error) or type(error).__name__ == "GatedRepoError"
