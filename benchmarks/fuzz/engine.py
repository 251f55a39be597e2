"""One target fuzzed in a process of its own, by Atheris (libFuzzer's engine for Python).

A process is forked per target from one that has imported the package with counters of
its branches: importing takes seconds. The child never returns; what it counted stands in
memory that both share, so that it is known however the child ends.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import resource
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from benchmarks.hostile.trials import what_went_wrong

from .tally import Crash, Tally
from .target import Ending, Read, Target, examine

INSTRUMENTED = ("pytest_retrieval_robust", "pydicom", "tomllib", "defusedxml")
"""Packages whose branches guide the choice of inputs."""
INPUT_SECONDS = 20
"""What one input may take before it counts as hung."""
_RESIDENT_MIB = 2560
"""What the process may hold, libraries included, before it counts as a crash."""
_MAPPED_BYTES = 6 << 30
_FILE_BYTES = 1 << 30
_PATIENCE = 300.0
"""Seconds beyond its time that a child has to start and to end, on a busy machine too."""
_ARTIFACTS = {
    "crash": "",
    "timeout": f"it took more than {INPUT_SECONDS} seconds",
    "oom": f"it took more than {_RESIDENT_MIB} MiB of memory",
}
"""How libFuzzer's files of inputs begin, and what they say if the child said nothing."""
_COUNTS = struct.Struct("<QQ")
_BOARD_BYTES = 1 << 14


class Board:
    """Memory that the processes share: the counts, and what went wrong."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _BOARD_BYTES)

    def count(self, ending: Ending) -> None:
        accepted, refused = self.counts
        accepted += ending is Ending.ACCEPTED
        refused += ending is Ending.REFUSED
        _COUNTS.pack_into(self._memory, 0, accepted, refused)

    @property
    def counts(self) -> tuple[int, int]:
        accepted, refused = _COUNTS.unpack_from(self._memory, 0)
        return accepted, refused

    def note(self, problem: str) -> None:
        most = _BOARD_BYTES - _COUNTS.size
        written = problem.encode("utf-8", "backslashreplace")[:most]
        self._memory[_COUNTS.size :] = written.ljust(most, b"\0")

    @property
    def problem(self) -> str:
        return self._memory[_COUNTS.size :].rstrip(b"\0").decode("utf-8", "replace")


def fuzz(target: Target, seconds: float, folder: Path) -> Tally:
    """Fuzz a target for some seconds.

    `folder` keeps what was found: `corpus/TARGET` inputs that reach new code,
    `crashes/TARGET` those that break the promise, `logs/TARGET` what was printed.
    """
    found = folder / "corpus" / target.name
    crashes = folder / "crashes" / target.name
    logs = folder / "logs"
    for place in (found, crashes, logs):
        place.mkdir(parents=True, exist_ok=True)
    before = set(crashes.iterdir())
    board = Board()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            log = logs / target.name
            _in_child(target, seconds, board, (found, crashes, log, Path(scratch)))
        status, processor_seconds = _wait(pid, seconds + _PATIENCE)
    taken = time.monotonic() - started
    accepted, refused = board.counts
    new = sorted(set(crashes.iterdir()) - before)
    problems = tuple(_crashes(new, status, board.problem))
    return Tally(target.name, taken, processor_seconds, accepted, refused, problems)


def _wait(pid: int, seconds: float) -> tuple[int, float]:
    """The exit code of a child, or minus the signal that ended it; its processor time."""
    until = time.monotonic() + seconds
    while True:
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def _crashes(files: list[Path], status: int, problem: str) -> list[Crash]:
    crashes = []
    for file in files:
        kind = file.name.partition("-")[0]
        if kind in _ARTIFACTS:
            said = _ARTIFACTS[kind] or problem or f"the process ended with {status}"
            crashes.append(Crash(said, str(file)))
    if not crashes and status != 0:
        crashes.append(Crash(problem or f"the process ended with {status}", None))
    return crashes


def _in_child(
    target: Target,
    seconds: float,
    board: Board,
    places: tuple[Path, Path, Path, Path],
) -> NoReturn:
    status = 1
    try:
        found, crashes, log, scratch = places
        _confine(log, scratch)
        home = scratch / "beside"
        home.mkdir()
        read = target.prepare(home)
        committed = _try_corpus(target, read, crashes)
        _start(target, read, board, seconds, (found, crashes, committed))
        status = 0
    except SystemExit:
        # So Atheris ends after an exception, which is noted by now.
        pass
    except BaseException as error:
        board.note(what_went_wrong(error))
        print(board.problem, flush=True)
    finally:
        os._exit(status)


def _confine(log: Path, scratch: Path) -> None:
    """Print to a file, write into the scratch folder, and take bounded memory."""
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ["TMPDIR"] = str(scratch)
    os.environ["RETRIEVAL_ROBUST_CACHE"] = str(scratch / "cache")
    tempfile.tempdir = None
    os.chdir(scratch)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    mapped = int(Path("/proc/self/statm").read_text().split()[0])
    most = mapped * resource.getpagesize() + _MAPPED_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _try_corpus(target: Target, read: Read, crashes: Path) -> Path:
    """Examine the committed inputs, so that what is imported late is instrumented too."""
    import atheris

    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        for file in target.corpus:
            content = file.read_bytes()
            try:
                examine(target, read, content)
            except BaseException:
                keep(content, crashes)
                raise
    return target.corpus[0].parent


def keep(content: bytes, crashes: Path) -> None:
    """Write an input that breaks the promise, under a name that follows from it."""
    name = hashlib.sha256(content).hexdigest()[:16]
    (crashes / f"crash-{name}").write_bytes(content)


def _start(
    target: Target,
    read: Read,
    board: Board,
    seconds: float,
    folders: tuple[Path, Path, Path],
) -> None:
    import atheris

    found, crashes, committed = folders

    def one_input(content: bytes) -> None:
        try:
            ending = examine(target, read, content)
        except BaseException as error:
            board.note(what_went_wrong(error))
            keep(content, crashes)
            raise
        board.count(ending)

    arguments = [
        "fuzz",
        f"-max_total_time={max(1, round(seconds))}",
        f"-timeout={INPUT_SECONDS}",
        f"-rss_limit_mb={_RESIDENT_MIB}",
        f"-max_len={target.most_bytes}",
        f"-artifact_prefix={crashes}/",
        "-print_final_stats=1",
        str(found),
        str(committed),
    ]
    mutate = _mutator(target)
    if mutate is None:
        atheris.Setup(arguments, one_input)
    else:
        atheris.Setup(arguments, one_input, custom_mutator=mutate)
    atheris.Fuzz()


def _mutator(target: Target) -> Callable[[bytes, int, int], bytes] | None:
    """The target's own changes and libFuzzer's, in turn."""
    import atheris

    own = target.mutate
    if own is None:
        return None

    def mutate(content: bytes, most_bytes: int, seed: int) -> bytes:
        # Two in three keep the form of the input.
        if seed % 3:
            return own(content, most_bytes, seed)
        changed: bytes = atheris.Mutate(content, most_bytes)
        return changed

    return mutate
