"""Weights that their authors publish as plain files: where they lie, and how to get them.

They are looked for in `weights/` of the cache folder, by their published names. Imports
no model library: `missing` runs while tests are collected.
"""

from __future__ import annotations

import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from ...core.atomic_files import CACHE_VARIABLE, cache_folder
from ...core.errors import ModelError, NotOnThisMachineError
from ...core.foreign import described
from ...core.shown_values import shown_place
from .. import LoadRequest
from .attempt import attempt
from .bounded import copy_at_most

_MOST_BYTES = 1 << 35
"""Limit for a published file whose server does not report its size."""
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class PlainFile:
    """A published weights file."""

    name: str
    page: str
    """The page that offers it, for the reader."""
    url: str | None = None
    """Where it can be fetched without a person; None if it cannot."""
    sha256: str | None = None
    """Of the published file, if it is known."""


def path_of(file: PlainFile, request: LoadRequest) -> Path:
    return cache_folder(request.cache_dir) / "weights" / file.name


def missing_file(name: str, file: PlainFile, request: LoadRequest) -> str | None:
    """The sentence for a file that is not on this machine, or None."""
    if request.checkpoint is not None or path_of(file, request).is_file():
        return None
    fetch = ""
    # By the hub's switch these files are not fetched either, whatever is allowed.
    if file.url is not None and _is_offline():
        fetch = "unset HF_HUB_OFFLINE, or "
    elif file.url is not None:
        fetch = "allow downloads (--robust-download), or "
    # Saved runs hold this sentence too.
    cache = shown_place(cache_folder(request.cache_dir))
    return (
        f"the weights of {name} are not on this machine; {fetch}download {file.name}"
        f" from {file.page} and put it in weights/ of the cache folder, {cache}"
        f" (--robust-cache-dir, else ${CACHE_VARIABLE}), or name it as the checkpoint of"
        " a [models.NAME] table"
    )


def local_file(name: str, file: PlainFile, request: LoadRequest) -> Path:
    """The file on this machine, fetched if the request allows it.

    Raises `NotOnThisMachineError`, which says how to get it, if it is neither on this
    machine nor can be fetched.
    """
    path = path_of(file, request)
    if path.is_file():
        return path
    # Offline by the hub's switch means offline for these files too.
    if file.url is None or not request.may_download or _is_offline():
        raise NotOnThisMachineError.because(missing_file(name, file, request) or "")
    _fetch(name, file.url, path)
    return path


def check_published(file: PlainFile, sha256: str | None) -> None:
    """Raise `ModelError` for a file that has the published name, but another hash."""
    if file.sha256 is not None and sha256 != file.sha256:
        raise ModelError(
            f"Expected the published {file.name} with sha256={file.sha256}, got"
            f" sha256={sha256}. Fetch it again from {file.page}, or pass a file of your"
            " own as checkpoint=..."
        )


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def _fetch(name: str, url: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under a name of this process, so that only whole files get the published one.
    part = path.with_name(f"{path.name}.{os.getpid()}.part")

    def fetch() -> None:
        _download(url, part)
        part.replace(path)

    def explain(error: BaseException) -> NotOnThisMachineError:
        return NotOnThisMachineError(
            f"Expected to fetch the weights of {name} from {url}, got"
            f" {described(error)}. Try again, or copy the file to weights/ of the cache"
            " folder yourself."
        )

    try:
        attempt(fetch, explain)
    finally:
        part.unlink(missing_ok=True)


def _download(url: str, part: Path) -> None:
    """Write what a server sends to a file; `OSError` if it is not of the announced size."""
    with (
        urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as source,
        part.open("wb") as target,
    ):
        announced = source.headers.get("Content-Length")
        limit = _MOST_BYTES if announced is None else int(announced)
        copy_at_most(source, target, limit)
    # A connection that closes early is a short file, and no error of its own.
    if announced is not None and part.stat().st_size != limit:
        raise OSError(f"{part.stat().st_size} of {limit} bytes")
