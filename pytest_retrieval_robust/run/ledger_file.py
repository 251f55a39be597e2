"""The file of the ledger of attempts: read, locked and appended to."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..core.files import NotRegularError, TooLargeError, open_regular, read_at_most
from ..gate.ledger import Attempt, Ledger, LedgerError, Line, changed, parse_ledger
from ..reports.saved.read import RUN_FILE, SavedRunError, has_run, read_run_json

NAME = "attempts.jsonl"
"""Beside the folder of `--robust-results`."""
_MOST_BYTES = 1 << 26
_WAIT_SECONDS = 600.0
"""How long a run waits for another one that is being judged."""
_POLL_SECONDS = 0.05
# Windows alone has it, and changes ends of lines without it.
_BINARY = getattr(os, "O_BINARY", 0)


class LedgerFile:
    """A ledger at a path, where it need not be yet."""

    def __init__(self, path: Path, results: Path | None = None) -> None:
        """`results` is a folder whose run may be in the ledger: then its line must be there."""
        self.path = path
        self._results = results

    @property
    def name(self) -> str:
        """What messages call it: folders above may tell of users and patients."""
        return self.path.name

    @property
    def is_there(self) -> bool:
        return os.path.lexists(self.path)

    def read(self) -> Ledger:
        """The ledger; an empty one where there is no file.

        Raises:
            LedgerError: It was changed, or cannot be read.
        """
        if not self.is_there:
            return Ledger()
        try:
            with open_regular(self.path) as stream:
                text = read_at_most(stream, _MOST_BYTES).decode()
        except UnicodeError:
            raise changed(self.name, "text that is not UTF-8") from None
        except (OSError, ValueError) as error:
            raise self._unusable("read", error) from None
        ledger = parse_ledger(text, self.name)
        self._check_end(ledger)
        return ledger

    def _check_end(self, ledger: Ledger) -> None:
        """Raise `LedgerError` where the attempt of the last saved run is not in it.

        Lines that are cut off at the end break no hash.
        """
        if self._results is None or not has_run(self._results):
            return
        try:
            saved = read_run_json(self._results).get("attempt")
        except SavedRunError:
            return  # whoever reads that run says what is wrong with it
        if not isinstance(saved, dict):
            return
        # A file that is there and empty had lines, or that run would not be an attempt.
        is_this_ledger = (
            not ledger.lines or saved.get("ledger_sha256") == ledger.lines[0].sha256
        )
        if is_this_ledger and not ledger.has(str(saved.get("line_sha256"))):
            place = f"{self._results.name}/{RUN_FILE}"
            raise changed(self.name, f"no line of the attempt that {place} holds")

    @contextmanager
    def locked(self) -> Iterator[Ledger]:
        """The ledger, which no other run changes meanwhile.

        Raises:
            LedgerError: It was changed, cannot be read or written, or another run holds
                it for ten minutes.
        """
        is_new = not self.is_there
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666)
        except (OSError, ValueError) as error:
            raise self._unusable("write", error) from None
        try:
            self._lock(descriptor)
            # Another run may have begun the new one meanwhile.
            has_lines = os.fstat(descriptor).st_size > 0
            yield self.read() if has_lines or not is_new else Ledger()
        finally:
            # Closing lets go of the lock.
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        """Wait for the lock; a system without locks of files goes on without."""
        try:
            import fcntl
        except ImportError:
            return
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LedgerError(
                        f"Expected to lock {self.name} within {_WAIT_SECONDS:g} s, got"
                        " another run that holds it. Wait for its end, and judge this"
                        " one by --robust-replay."
                    ) from None
                time.sleep(_POLL_SECONDS)
            except OSError:
                return
            else:
                return

    def append(self, ledger: Ledger, attempt: Attempt) -> Line:
        """Write the next line of a ledger that this process holds.

        Raises:
            LedgerError: It cannot be written.
        """
        line = ledger.next_line(attempt)
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | _BINARY)
            try:
                size = os.fstat(descriptor).st_size
                content = line.text.encode()
                # One write, so that a run without a lock cannot come in between.
                if os.write(descriptor, content) < len(content):
                    with suppress(OSError):
                        os.truncate(self.path, size)
                    raise OSError("the disk is full")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._unusable("write", error) from None
        return line

    def _unusable(self, verb: str, error: Exception) -> LedgerError:
        # Their own texts name no path; those of other errors may.
        if isinstance(error, NotRegularError | TooLargeError):
            reason = str(error)
        else:
            reason = getattr(error, "strerror", None) or type(error).__name__
        return LedgerError(
            f"Expected to {verb} the ledger of attempts {self.name}, got: {reason}. Name"
            " another file with --robust-attempts."
        )
