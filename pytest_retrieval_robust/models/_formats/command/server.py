"""The served encoder as a whole: its process, and the one that takes over where it ends."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ....core.errors import ModelError
from .failures import DiedError, ServingError
from .frames import Header, Message, frame_of
from .hello import PROTOCOL, Hello, checked_hello
from .process import Command, Request, ServedProcess

MOST_RESTARTS = 3
"""How often a process that ended is started again for one loading of the model."""


@dataclass(frozen=True, repr=False)
class _Failure:
    """What went wrong, as it may be said."""

    got: str
    advice: str
    last_words: str = ""
    has_died: bool = False
    """It ended by itself: another process may succeed."""

    def sentence(self, expected: str) -> str:
        words = [f"Expected {expected}, got {self.got}.", self.last_words, self.advice]
        return " ".join(word for word in words if word)


class Server:
    """Keeps one process running, and asks it. Threads take turns."""

    def __init__(
        self, name: str, command: Command, device: str, precision: str
    ) -> None:
        """Starts the process. `device` and `precision` are those that the run asks for.

        Raises:
            ModelError: It does not start, or does not greet as the protocol says.
        """
        self._name = name
        self._command = command
        self._greeting: Header = {
            "type": "hello",
            "protocol": PROTOCOL,
            "name": name,
            "device": device,
            "precision": precision,
            "threads": torch.get_num_threads(),
        }
        self._lock = threading.Lock()
        self._process: ServedProcess | None = None
        self.restarts = 0
        """How many processes ended and were replaced."""
        started = self._start()
        if isinstance(started, _Failure):
            raise self._error(started)
        self.hello = started

    def ask(self, headers: Sequence[Header], arrays: Sequence[Any]) -> list[Message]:
        """The answers to requests, in their order; `arrays` has None for one without.

        Where the process ends meanwhile, another is started and asked once more.

        Raises:
            ModelError: There is no answer.
        """
        threads = torch.get_num_threads()
        requests = [
            frame_of({**header, "threads": threads}, array)
            for header, array in zip(headers, arrays, strict=True)
        ]
        with self._lock:
            answers = self._try(requests)
            if isinstance(answers, _Failure) and answers.has_died:
                answers = self._try(requests)
        if isinstance(answers, _Failure):
            raise self._error(answers)
        return answers

    def close(self) -> None:
        """End the process."""
        process = self._process
        self._process = None
        if process is not None:
            process.close()

    def end(self) -> None:
        """End the process at once: what it answered cannot be relied on."""
        process = self._process
        self._process = None
        if process is not None:
            process.end()

    def _error(self, failure: _Failure) -> ModelError:
        return ModelError(
            failure.sentence(f"an answer from the command of {self._name}")
        )

    def _try(self, requests: Sequence[Request]) -> list[Message] | _Failure:
        """The answers, or what went wrong."""
        problem = self._have_process()
        if problem is not None:
            return problem
        process = self._process
        assert process is not None
        process.was_given_data = True
        try:
            return process.talk(requests)
        except ServingError as error:
            self._process = None
            return _failure_of(error, process)
        except BaseException:
            # An interrupt: the process was ended in the middle of a message.
            self._process = None
            raise

    def _have_process(self) -> _Failure | None:
        """Have a process of our own that runs; what went wrong if there is none."""
        process = self._process
        if process is not None and process.is_of_this_process:
            return None
        if self.restarts == MOST_RESTARTS:
            return _Failure(
                f"none: it ended {MOST_RESTARTS + 1} times, and is not started again",
                "Fix the encoder, and run again: what is stored is not encoded again.",
            )
        # A fork has a process of its own, which nothing had to end.
        if process is None:
            self.restarts += 1
        started = self._start()
        if isinstance(started, _Failure):
            return started
        # Rows of two encoders must never be mixed.
        if started.said != self.hello.said:
            self.end()
            return _Failure(
                "another greeting from the process that took over",
                "Leave its files as they are while a run goes on.",
            )
        return None

    def _start(self) -> Hello | _Failure:
        process: ServedProcess | None = None
        try:
            process = ServedProcess(self._command)
            (answer,) = process.talk([frame_of(self._greeting)])
            hello = checked_hello(answer.header)
        except ServingError as error:
            failure = _failure_of(error, process)
        else:
            self._process = process
            return hello
        if process is not None:
            process.end()
        return failure


def _failure_of(error: ServingError, process: ServedProcess | None) -> _Failure:
    words = ""
    if process is not None:
        words = process.last_words.shown(was_given_data=process.was_given_data)
    return _Failure(str(error), error.advice, words, isinstance(error, DiedError))
