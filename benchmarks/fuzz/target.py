"""What a fuzzed parser is, and the promise that each input is held against."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from benchmarks.hostile.image_files import CANARY
from pytest_retrieval_robust.core.errors import RobustError

from . import guard

CORPUS = Path(__file__).parent / "corpus"
"""A folder of inputs per target."""
HONEST = "honest"
"""How the name of an input begins that must be accepted."""

Read = Callable[[bytes], object]
"""Parses one input: returns, or raises an error of the package."""
Mutate = Callable[[bytes, int, int], bytes]
"""(content, most bytes, seed) -> a changed copy."""


class Ending(Enum):
    """How an input that kept the promise ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


class BrokenPromiseError(Exception):
    """An input was neither accepted nor refused as promised."""


def _always(_: bytes) -> bool:
    return True


@dataclass(frozen=True)
class Target:
    """A parser of untrusted input."""

    name: str
    """For `--only`, and the folder of its corpus."""
    parser: str
    """What is read, for the table."""
    prepare: Callable[[Path], Read]
    """Writes what lies beside an input into an empty folder, and returns what parses one."""
    mutate: Mutate | None = None
    """How inputs are changed so that they keep their form, beside libFuzzer's own ways."""
    hides_canary: Callable[[bytes], bool] = _always
    """Whether the canary of this input, if it is there, must not be quoted."""
    starts: tuple[str, ...] = ()
    """Programs that it starts on purpose."""
    most_bytes: int = 8192
    """Of an input."""

    @property
    def corpus(self) -> list[Path]:
        """The committed inputs, the honest ones first."""
        files = (CORPUS / self.name).iterdir()
        return sorted(
            files, key=lambda file: (not file.name.startswith(HONEST), file.name)
        )


def examine(target: Target, read: Read, content: bytes) -> Ending:
    """How an input ends.

    Raises `BrokenPromiseError` for a refusal that is no sentence or quotes a patient, for
    code that was run, and for a warning or a log record that quotes a patient. Any other
    exception of the parser passes, and breaks the promise too.
    """
    refusal: RobustError | None = None
    with _shown() as shown, guard.watching(target.starts) as done:
        try:
            read(content)
        except RobustError as error:
            refusal = error
    if done:
        raise BrokenPromiseError(f"it did what no parser may: {done[0]}")
    if refusal is not None:
        shown += _texts_of(refusal)
        if "xpected" not in shown[-1] and "Unknown" not in shown[-1]:
            raise BrokenPromiseError(f"a refusal that is no sentence: {shown[-1]!r}")
    if target.hides_canary(content):
        for text in shown:
            if CANARY in text:
                raise BrokenPromiseError(f"it quotes a patient: {text!r}")
    return Ending.ACCEPTED if refusal is None else Ending.REFUSED


def _texts_of(error: BaseException) -> list[str]:
    """The texts that Python prints of an error: those behind it first, its own last."""
    behind = error.__cause__
    if behind is None and not error.__suppress_context__:
        behind = error.__context__
    texts = [] if behind is None else _texts_of(behind)
    return [*texts, str(error)]


class _Records(logging.Handler):
    """Keeps what is logged at the level that is shown by default."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._texts = texts

    def emit(self, record: logging.LogRecord) -> None:
        self._texts.append(record.getMessage())


@contextmanager
def _shown() -> Iterator[list[str]]:
    """The texts of warnings and log records, once the block has ended."""
    texts: list[str] = []
    records = _Records(texts)
    root = logging.getLogger()
    root.addHandler(records)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield texts
    finally:
        root.removeHandler(records)
    texts += [str(warning.message) for warning in caught]
