"""Child processes, forked from one that has imported everything.

A trial so costs no start of Python.

A trial in a child may hang, crash, fill memory or leave threads behind: the parent ends
it, says so and goes on.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from .trials import Check, Trial, what_went_wrong

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 20.0
"""What one trial may take before it counts as hung."""
MEMORY = 1 << 30
"""How many bytes one trial may add to the memory that its process holds."""
FILE_BYTES = 2 << 30
"""A process that writes a larger file is ended: an archive was expanded without limit."""
_KIBIBYTE = 1024


class _TookTooLongError(BaseException):
    """Raised by the alarm. No handler of `Exception` may swallow it."""


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status, and all that it printed.

    The status is minus the signal if one ended it.
    """

    status: int
    output: str
    timed_out: bool = False

    @property
    def last_line(self) -> str:
        """The line of the verdict, without the reason that follows; empty if there is none."""
        lines = [
            line
            for line in self.output.splitlines()
            if line.startswith(("RELEASE GATE:", "MEASURED ONLY"))
        ]
        return lines[-1] if lines else ""

    @property
    def end(self) -> str:
        """The end of the output, for a message."""
        lines = [line.strip() for line in self.output.splitlines()[-6:]]
        return " / ".join(line for line in lines if line)[-300:]


class Child:
    """A running child and the file that it prints to."""

    def __init__(self, pid: int, output: Path) -> None:
        self.pid = pid
        self._output = output

    def send(self, which: signal.Signals) -> None:
        os.kill(self.pid, which)

    def wait(self, seconds: float = 120.0) -> Ended:
        """Wait for its end, and end it where it takes longer."""
        until = time.monotonic() + seconds
        timed_out = False
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > until:
                timed_out = True
                os.kill(self.pid, signal.SIGKILL)
                _, status = os.waitpid(self.pid, 0)
                break
            time.sleep(0.01)
        text = ""
        if self._output.is_file():
            text = self._output.read_text(encoding="utf-8", errors="replace")
        return Ended(os.waitstatus_to_exitcode(status), text, timed_out)


def start(action: Callable[[], int], output: Path) -> Child:
    """Fork a child that runs `action`, prints to `output` and exits with what `action` returns."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Child(pid, output)
    status = 70
    try:
        descriptor = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        # pytest, where it is the parent, has put others in their places.
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        status = action()
    except KeyboardInterrupt:
        status = 130
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException as error:
        print(f"INTERNALERROR> {what_went_wrong(error)}")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def start_pytest(
    folder: Path,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str | None] | None = None,
    before: Callable[[], None] | None = None,
    plugins: Sequence[str] = (),
    output: Path | None = None,
) -> Child:
    """Start pytest in `folder`, with this package's plugin and those named alone.

    `before` runs in the child.
    """
    named: list[str] = []
    for plugin in ("retrieval_robust", *plugins):
        named += ["-p", plugin]

    def action() -> int:
        import pytest

        os.chdir(folder)
        # The working folder's own modules are found first, as with `python -m pytest`.
        sys.path.insert(0, "")
        _set_environment(environment or {})
        if before is not None:
            before()
        return int(pytest.main([*named, *arguments]))

    if output is None:
        output = folder.parent / f"{folder.name}.{time.monotonic_ns()}.out"
    return start(action, output)


def run_pytest(
    folder: Path,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str | None] | None = None,
    before: Callable[[], None] | None = None,
    plugins: Sequence[str] = (),
    seconds: float = 120.0,
) -> Ended:
    """Run pytest to its end: see `start_pytest`."""
    child = start_pytest(
        folder, arguments, environment=environment, before=before, plugins=plugins
    )
    return child.wait(seconds)


def _set_environment(changes: Mapping[str, str | None]) -> None:
    fixed = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
    }
    removed = (
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
        "PYTEST_XDIST_WORKER",
        "PYTEST_ADDOPTS",
        "CI",
    )
    for name, value in {**dict.fromkeys(removed), **fixed, **changes}.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    tempfile.tempdir = None  # another TMPDIR is looked at


def in_children(
    checks: Sequence[tuple[str, Check]],
    *,
    chunk: int = 1,
    seconds: float = SECONDS,
    memory: int = MEMORY,
) -> Iterator[Trial]:
    """Make the checks in children, `chunk` of them in each.

    What hangs, dies or fills memory did not hold.
    """
    done = 0
    while done < len(checks):
        part = checks[done : done + chunk]
        finished = 0
        for trial in _in_one_child(part, seconds, memory):
            finished += 1
            yield trial
        done += max(finished, 1)


def _in_one_child(
    checks: Sequence[tuple[str, Check]], seconds: float, memory: int
) -> Iterator[Trial]:
    """The trials of one child: all of them, or up to the one that it died in."""
    reading, writing = os.pipe()
    child = start(lambda: _make(checks, writing, seconds, memory), Path(os.devnull))
    os.close(writing)
    with os.fdopen(reading, "rb") as results:
        for name, _ in checks:
            # The child's own alarm comes first, unless it takes no signal.
            patience = 2 * seconds + 10
            line = _line_within(results.fileno(), patience)
            if line is None:
                os.kill(child.pid, signal.SIGKILL)
                child.wait()
                yield Trial(
                    name, f"hung for more than {patience:g} seconds, and took no signal"
                )
                return
            if not line:
                yield Trial(name, _death(child.wait().status))
                return
            yield Trial(name, json.loads(line))
    child.wait(10)


def _line_within(descriptor: int, seconds: float) -> bytes | None:
    """The next line of a pipe: empty at its end, None where it does not come in time."""
    line = bytearray()
    until = time.monotonic() + seconds
    while not line.endswith(b"\n"):
        left = max(0.0, until - time.monotonic())
        ready, _, _ = select.select([descriptor], [], [], left)
        if not ready:
            return None
        byte = os.read(descriptor, 1)
        if not byte:
            return b""
        line += byte
    return bytes(line)


def _death(status: int) -> str:
    if status == -signal.SIGXFSZ:
        return f"wrote a file of more than {FILE_BYTES >> 20} MiB"
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return f"the process died with {how}"


def _make(
    checks: Sequence[tuple[str, Check]], writing: int, seconds: float, memory: int
) -> int:
    signal.signal(signal.SIGALRM, _alarm)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    _limit_memory(4 * memory)
    for _, check in checks:
        before = _forget_peak()
        problem = _problem_within(check, seconds)
        grown = (_peak() - before) * _KIBIBYTE
        if problem is None and grown > memory:
            problem = f"took {grown >> 20} MiB of memory"
        os.write(writing, json.dumps(problem).encode() + b"\n")
    return 0


def _forget_peak() -> int:
    """Have the peak begin anew, at what is resident now: that of a forked process begins
    with its parent's. Returns it, in KiB.
    """
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """The most KiB that were resident at once."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def _limit_memory(more: int) -> None:
    """Let this process map so many more bytes, so that it cannot take the machine's."""
    pages = Path("/proc/self/statm")
    if pages.is_file():
        mapped = int(pages.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + more, mapped + more))


def _problem_within(check: Check, seconds: float) -> str | None:
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return check()
    except _TookTooLongError:
        return f"hung for more than {seconds:g} seconds"
    except MemoryError:
        return "MemoryError"
    except BaseException as error:
        return what_went_wrong(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _alarm(_number: int, _frame: FrameType | None) -> None:
    raise _TookTooLongError
