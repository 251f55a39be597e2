"""Weights that their authors publish as plain files: where they lie on this machine,
and how they get there.

They are looked for in `weights/` of the cache folder, under the names that they are
published with. Imports no model library: `missing` is asked while tests are collected.
"""

from __future__ import annotations

import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from ...cache import CACHE_VARIABLE, cache_folder
from ...errors import ModelError, NotOnThisMachineError
from ...foreign import described
from .. import LoadRequest
from .attempt import attempt
from .bounded import copy_at_most

_MOST_BYTES = 1 << 35
"""Of a published file whose server does not say its size."""


@dataclass(frozen=True)
class PlainFile:
    """A published weights file."""

    name: str
    page: str
    """Where it is to be had, for the reader."""
    url: str | None = None
    """Where it can be fetched from without a person; None where it cannot."""
    sha256: str | None = None
    """Of the published file, where it is known."""


def place_of(file: PlainFile, request: LoadRequest) -> Path:
    return cache_folder(request.cache_dir) / "weights" / file.name


def missing_file(name: str, file: PlainFile, request: LoadRequest) -> str | None:
    """The sentence for a file that is not here, or None."""
    if request.checkpoint is not None or place_of(file, request).is_file():
        return None
    fetch = "allow downloads (--robust-download), or " if file.url else ""
    return (
        f"the weights of {name} are not on this machine; to bring them, {fetch}get"
        f" {file.name} from {file.page} and put it in weights/ of the cache folder"
        f" (${CACHE_VARIABLE}, by default {_shown(request)}), or name it as the"
        " checkpoint of a [models.NAME] table"
    )


def _shown(request: LoadRequest) -> str:
    folder = cache_folder(request.cache_dir)
    return (
        f"~/{folder.relative_to(Path.home())}"
        if folder.is_relative_to(Path.home())
        else str(folder)
    )


def local_file(name: str, file: PlainFile, request: LoadRequest) -> Path:
    """The file on this machine, fetched if it may be.

    Raises `NotOnThisMachineError` where it is not here and cannot be fetched, saying
    how to bring it.
    """
    place = place_of(file, request)
    if place.is_file():
        return place
    if file.url is None or not request.may_download or _is_offline():
        raise NotOnThisMachineError.because(missing_file(name, file, request) or "")
    _fetch(name, file.url, place)
    return place


def check_published(file: PlainFile, sha256: str | None) -> None:
    """Raise `ModelError` where a file of the published name is not the published one."""
    if file.sha256 is not None and sha256 != file.sha256:
        raise ModelError(
            f"Expected the published {file.name} with sha256={file.sha256}, got"
            f" sha256={sha256}. Fetch it again from {file.page}, or pass a file of your"
            " own as checkpoint=..."
        )


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def _fetch(name: str, url: str, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.{os.getpid()}.part")

    def fetch() -> None:
        with (
            urllib.request.urlopen(url, timeout=60) as source,
            part.open("wb") as target,
        ):
            expected = source.headers.get("Content-Length")
            copy_at_most(
                source, target, _MOST_BYTES if expected is None else int(expected)
            )
        if expected is not None and part.stat().st_size != int(expected):
            raise OSError(f"{part.stat().st_size} of {expected} bytes")
        part.replace(place)

    def explain(error: BaseException) -> NotOnThisMachineError:
        return NotOnThisMachineError(
            f"Expected to fetch the weights of {name} from {url}, got"
            f" {described(error)}. Try again, or bring the file by hand to weights/ of"
            " the cache folder."
        )

    try:
        attempt(fetch, explain)
    finally:
        part.unlink(missing_ok=True)
