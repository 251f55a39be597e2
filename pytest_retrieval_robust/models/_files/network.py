"""Whether the Hugging Face hub can be asked, and how a message says to get what it has.

Without a network the hub's client tries again for about half a minute per question.
So the first failed connection is remembered, and later models come from the cache alone.
Imports no model library.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

_REMEMBERED_SECONDS = 600.0
"""A notebook outlives a broken connection."""
_FAILED_CONNECTIONS = (
    "ConnectError",
    "ConnectTimeout",
    "ConnectionError",
    "ProxyError",
)
"""Classes of the clients that different releases of huggingface_hub use."""
_MOST_CAUSES = 16


class _Connection:
    """What this process knows of its connection to the hub."""

    failed_at: float | None = None
    loads = 0
    """Loads that are going on: only within one is the hub's switch ours to set."""


_connection = _Connection()


def is_forbidden() -> bool:
    """Whether nothing may be asked for, by the hub's switch HF_HUB_OFFLINE."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def is_unreachable() -> bool:
    """Whether the last connection to the hub failed, some minutes ago at most."""
    failed_at = _connection.failed_at
    if failed_at is None:
        return False
    return time.monotonic() - failed_at < _REMEMBERED_SECONDS


def can_be_asked() -> bool:
    """Whether a question to the hub may and can be answered."""
    return not (is_forbidden() or is_unreachable())


def forget_failure() -> None:
    """Let the next model ask the hub again."""
    _connection.failed_at = None


def note_failure(error: BaseException) -> None:
    """Remember an error that means that the hub cannot be reached.

    A file or repository that the hub does not have or keeps behind terms is none.
    """
    if not any(_is_failed_connection(cause) for cause in _causes(error)):
        return
    _connection.failed_at = time.monotonic()
    if _connection.loads:
        _switch(is_offline=True)


@contextmanager
def asking_while_reachable() -> Iterator[None]:
    """The time of a load, in which the hub is not asked if it cannot be reached."""
    before = is_forbidden()
    _connection.loads += 1
    _switch(is_offline=before or is_unreachable())
    try:
        yield
    finally:
        _connection.loads -= 1
        _switch(is_offline=before)


@contextmanager
def offline_unless(may_download: bool) -> Iterator[None]:
    """The time of a load by a library that has no option against downloads."""
    before = is_forbidden()
    _switch(is_offline=before or not may_download)
    try:
        yield
    finally:
        _switch(is_offline=before)


def _switch(*, is_offline: bool) -> None:
    from huggingface_hub import constants

    if is_offline != constants.HF_HUB_OFFLINE:
        constants.HF_HUB_OFFLINE = is_offline
        close_sessions()


def close_sessions() -> None:
    """Let the hub's client look at its switch again.

    Before huggingface_hub 1 a session keeps the switch's state from when it was made.
    """
    from huggingface_hub.utils import _http

    reset = getattr(_http, "reset_sessions", None)
    if reset is not None:
        reset()


def _causes(error: BaseException) -> list[BaseException]:
    """The error and those behind it: libraries wrap the client's own."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < _MOST_CAUSES:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    return causes


def _is_failed_connection(error: BaseException) -> bool:
    """Whether a client could not connect to the hub, rather than to a server of others."""
    from huggingface_hub import constants

    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds.isdisjoint(_FAILED_CONNECTIONS):
        return False
    try:
        url = str(error.request.url)  # type: ignore[attr-defined]
    # Python's own errors have no request; a client's may have none yet.
    except (AttributeError, RuntimeError):
        return False
    return url.startswith(constants.ENDPOINT)


def get_with(what: str, downloads: str) -> str:
    """How to get `what` ("them", "it") by commands that download it.

    The option that allows downloads is named only where it can help.
    """
    if is_unreachable():
        return (
            f"get {what} with {downloads} on a machine with network access (the hub"
            " could not be reached)"
        )
    if is_forbidden():
        return (
            f"HF_HUB_OFFLINE is set, so that none is asked for: unset it, or get {what}"
            f" with {downloads}"
        )
    return f"get {what} with --robust-download or {downloads}"
