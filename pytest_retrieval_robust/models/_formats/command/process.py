"""One process that serves an encoder: started, asked, and ended with all that it began.

It is the leader of a session of its own, so that it and its children are ended together
and an interrupt of the terminal reaches this process alone. If this process dies, its
end of the pipe is closed, and the other side ends by the protocol.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from .failures import BrokenProtocolError, DiedError, NotStartedError, TimedOutError
from .frames import FrameReader, Message, RubbishError, frame_of
from .last_words import LastWords

IN_FLIGHT = 2
"""Requests without an answer: the other side reads one while it works on another."""
_GRACE = 2.0
"""Seconds that a process has to end by itself."""
_UNTIL_EXIT = 0.5
"""Seconds between the end of its output and its own end."""
_PIPE_BYTES = 2**20
_STEP = 0.01
_LOOK = 0.25
"""Seconds without an answer after which it is seen whether the process is there."""
_OURS_ALONE = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV")
"""Variables of our own environment, which would mix it with theirs."""
Request: TypeAlias = Sequence[memoryview]
"""A frame, as pieces of memory."""


@dataclass(frozen=True, repr=False)
class Command:
    """How the process is started."""

    arguments: tuple[str, ...]
    folder: Path
    """Its working folder, from which relative paths lead."""
    timeout: float
    """Seconds that the start, and each answer, may take."""


class ServedProcess:
    """A running process. Not to be used by two threads at a time."""

    def __init__(self, command: Command) -> None:
        """Raises `NotStartedError`."""
        self.last_words = LastWords()
        self.was_given_data = False
        self._timeout = command.timeout
        self._incoming = FrameReader()
        self._owner = os.getpid()
        try:
            self._process = subprocess.Popen(
                [os.path.expanduser(argument) for argument in command.arguments],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=command.folder,
                env=_environment(),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            failure = f"a program that could not be started ({reason})"
        else:
            failure = ""
        # Outside of the handler: the foreign error names the whole path.
        if failure:
            raise NotStartedError(failure)
        self._stdin = _descriptor(self._process.stdin)
        self._stdout = _descriptor(self._process.stdout)
        self._stderr = _descriptor(self._process.stderr)
        _enlarge(self._stdin)
        _enlarge(self._stdout)
        _running.add(self)

    @property
    def is_of_this_process(self) -> bool:
        """False after a fork: then it is the parent's."""
        return os.getpid() == self._owner

    def talk(self, requests: Sequence[Request]) -> list[Message]:
        """The answers to the requests, in their order.

        Writing and reading take turns as the pipes allow, so that neither side ever
        waits for the other to read. Whatever ends the talk before its end, an interrupt
        too, ends the process.

        Raises:
            ServingError: It ended, took too long, or wrote what is no message.
        """
        try:
            return _Talk(self, requests).run()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End the process and its group at once."""
        if not self.is_of_this_process or self._process.returncode is not None:
            return
        # Before it is waited for: its number cannot be another's as long as it is there.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._close_pipes()

    def close(self) -> None:
        """Ask the process to end; end it, and what it left behind, if it does not."""
        if not self.is_of_this_process or self._process.returncode is not None:
            return
        # Its input may be full: then it is not listening anyway.
        with suppress(OSError):
            os.write(self._stdin, b"".join(frame_of({"type": "bye"})))
        self._process.stdin.close()  # type: ignore[union-attr]
        _wait_for_exit(self._process.pid, _GRACE)
        self.end()

    def forget(self) -> None:
        """Close this copy of the parent's pipes, in a process that was forked."""
        self._close_pipes()

    def described_exit(self) -> str:
        """How the process ended, as words after "got"; it is ended if it did not."""
        _wait_for_exit(self._process.pid, _UNTIL_EXIT)
        has_exited = _has_exited(self._process.pid)
        self._read_last_words()
        self.end()
        code = self._process.returncode
        if not has_exited:
            return "the end of its standard output"
        if code < 0:
            name = signal.strsignal(-code) or f"signal {-code}"
            return f"its end by a signal ({name})"
        return f"its end with exit status {code}"

    def _close_pipes(self) -> None:
        pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        for pipe in pipes:
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def _read_last_words(self) -> None:
        with suppress(OSError):
            while written := os.read(self._stderr, _PIPE_BYTES):
                self.last_words.add(written)


class _Talk:
    """One exchange of requests and answers."""

    def __init__(self, process: ServedProcess, requests: Sequence[Request]) -> None:
        self._process = process
        self._waiting = deque(requests)
        self._count = len(requests)
        self._begun = 0
        self._outgoing: deque[memoryview] = deque()
        self._answers: list[Message] = []
        self._selector = selectors.DefaultSelector()

    def run(self) -> list[Message]:
        process = self._process
        deadline = time.monotonic() + process._timeout
        with self._selector as selector:
            selector.register(process._stdout, selectors.EVENT_READ, self._read)
            selector.register(process._stderr, selectors.EVENT_READ, self._listen)
            while len(self._answers) < self._count:
                answered = len(self._answers)
                self._begin_requests()
                left = deadline - time.monotonic()
                # Whatever it writes to standard error meanwhile.
                if left <= 0:
                    raise TimedOutError(f"none within {process._timeout:g} seconds")
                ready = selector.select(min(left, _LOOK))
                # Its children may hold its end of the pipe open when it is gone.
                if not ready and _has_exited(process._process.pid):
                    raise DiedError(process.described_exit())
                for key, _ in ready:
                    key.data()
                if len(self._answers) > answered:
                    deadline = time.monotonic() + process._timeout
        if process._incoming.is_within_a_frame or len(self._answers) > self._count:
            raise BrokenProtocolError("more answers than there were requests")
        return self._answers

    def _begin_requests(self) -> None:
        while self._waiting and self._begun - len(self._answers) < IN_FLIGHT:
            self._outgoing.extend(self._waiting.popleft())
            self._begun += 1
        stdin = self._process._stdin
        is_registered = stdin in self._selector.get_map()
        if self._outgoing and not is_registered:
            self._selector.register(stdin, selectors.EVENT_WRITE, self._write)
        elif is_registered and not self._outgoing:
            self._selector.unregister(stdin)

    def _write(self) -> None:
        piece = self._outgoing.popleft()
        try:
            written = os.write(self._process._stdin, piece)
        except BlockingIOError:
            written = 0
        except OSError:
            # What it has answered already, or its end, is read in its turn.
            self._outgoing.clear()
            self._waiting.clear()
            return
        if written < len(piece):
            self._outgoing.appendleft(piece[written:])

    def _read(self) -> None:
        incoming = self._process._incoming
        room = incoming.room()
        try:
            count = os.readv(self._process._stdout, [room])
        except BlockingIOError:
            return
        if count == 0:
            raise DiedError(self._process.described_exit())
        try:
            self._answers.extend(incoming.add(room, count))
            problem = ""
        except RubbishError as error:
            problem = str(error)
        if problem:
            raise BrokenProtocolError(f"{problem} on its standard output")

    def _listen(self) -> None:
        try:
            written = os.read(self._process._stderr, _PIPE_BYTES)
        except BlockingIOError:
            return
        if written:
            self._process.last_words.add(written)
        else:
            self._selector.unregister(self._process._stderr)


def _environment() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if name not in _OURS_ALONE
    }


def _descriptor(pipe: object) -> int:
    """The number of a pipe, which from now on blocks nobody."""
    descriptor: int = pipe.fileno()  # type: ignore[attr-defined]
    os.set_blocking(descriptor, False)
    return descriptor


def _enlarge(pipe: int) -> None:
    """Give a pipe more room, where the system can: fewer turns for the same bytes."""
    import fcntl

    if hasattr(fcntl, "F_SETPIPE_SZ"):
        # The system may have none left.
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _wait_for_exit(pid: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not _has_exited(pid) and time.monotonic() < deadline:
        time.sleep(_STEP)


def _has_exited(pid: int) -> bool:
    """Whether a child has ended. It stays to be waited for, so that its number stays its."""
    if not hasattr(os, "waitid"):
        # Older Pythons on macOS: nobody can tell without waiting for it.
        return False
    try:
        flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, pid, flags) is not None
    except ChildProcessError:
        return True


_running: weakref.WeakSet[ServedProcess] = weakref.WeakSet()


def _forget_all() -> None:
    """Let a fork hold no pipe open, whose end tells the other side that we are gone."""
    for process in list(_running):
        process.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
