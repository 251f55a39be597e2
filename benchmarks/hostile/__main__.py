"""Count the attempts: `python -m benchmarks.hostile [--quick] [--only ROW] ...`.

Each row of the table is made in a process of its own, with a scratch folder that is
removed. The exit status is 1 where an attempt did not hold.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

# Before numpy and torch: a process that is to be forked must have no threads.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

from ..pages import write_into  # noqa: E402
from .rows import ROWS, warm_up  # noqa: E402  # see above
from .trials import Ground, Row, Trial, what_went_wrong  # noqa: E402

_SHOWN = 3


@dataclass
class Result:
    """A row's trials as they come in."""

    row: Row
    file: Path
    trials: list[Trial] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failures(self) -> list[Trial]:
        return [trial for trial in self.trials if not trial.held]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hostile", description=__doc__
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a few trials of each row, in less than a minute",
    )
    parser.add_argument(
        "--only", action="append", metavar="ROW", choices=[row.name for row in ROWS]
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--jobs",
        type=int,
        default=min(2, os.cpu_count() or 1),
        help="rows at the same time",
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="put the table between the two marks of a page",
    )
    parser.add_argument(
        "--show",
        type=int,
        default=_SHOWN,
        metavar="N",
        help="kinds of failures shown of each row",
    )
    parsed = parser.parse_args(arguments)
    rows = [row for row in ROWS if parsed.only is None or row.name in parsed.only]
    warm_up()
    # An exit ends the processes of rows, too; the signal alone would leave them.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    scratch = Path(tempfile.mkdtemp(prefix="hostile-"))
    try:
        results = run(rows, scratch, parsed.seed, quick=parsed.quick, jobs=parsed.jobs)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        gc.unfreeze()
    print("\n".join([table(results), *failures(results, parsed.show)]))
    if parsed.write is not None:
        write_into(parsed.write, table(results))
    return int(any(result.failures or not result.trials for result in results))


def run(
    rows: Sequence[Row], scratch: Path, seed: int, *, quick: bool, jobs: int = 1
) -> list[Result]:
    """Make every trial of the rows, `jobs` rows at the same time."""
    results = [Result(row, scratch / f"{row.name}.jsonl") for row in rows]
    waiting = list(results)
    running: dict[int, tuple[Result, float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                result = waiting.pop(0)
                pid = _start(result, scratch, seed, quick)
                running[pid] = (result, time.monotonic())
            pid, status = os.waitpid(-1, 0)
            if pid in running:
                result, began = running.pop(pid)
                result.seconds = time.monotonic() - began
                _collect(result, status)
                _print_result(result)
    finally:
        for pid in running:
            os.killpg(pid, signal.SIGKILL)
    return results


def _start(result: Result, scratch: Path, seed: int, quick: bool) -> int:
    """Fork the process of a row.

    It leads a group of its own, so that its children can be ended with it.
    """
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        folder = scratch / result.row.name
        temporary = folder / "tmp"
        temporary.mkdir(parents=True)
        os.environ["TMPDIR"] = str(temporary)
        tempfile.tempdir = None
        os.environ["RETRIEVAL_ROBUST_CACHE"] = str(folder / "cache")
        with result.file.open("w", encoding="utf-8") as stream:
            for trial in result.row.trials(Ground(folder, seed, quick)):
                stream.write(json.dumps(asdict(trial)) + "\n")
                stream.flush()
        status = 0
    except BaseException as error:
        failed = Trial("the row itself", what_went_wrong(error))
        with result.file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(failed)) + "\n")
    finally:
        os._exit(status)


def _collect(result: Result, status: int) -> None:
    if result.file.is_file():
        for line in result.file.read_text(encoding="utf-8").splitlines():
            result.trials.append(Trial(**json.loads(line)))
    if os.waitstatus_to_exitcode(status) < 0:
        result.trials.append(
            Trial("the row itself", f"its process died with status {status}")
        )
    shutil.rmtree(result.file.with_suffix(""), ignore_errors=True)


def _print_result(result: Result) -> None:
    held = len(result.trials) - len(result.failures)
    lines = [
        f"{result.row.name}: {held} of {len(result.trials)} held,"
        f" {result.seconds:.0f} s"
    ]
    lines += _failures_of_a_kind(result, _SHOWN)
    print("\n".join(lines), file=sys.stderr, flush=True)


def table(results: Sequence[Result]) -> str:
    """The table, in Markdown."""
    lines = [
        "| row | what is promised | trials | held |",
        "| --- | --- | ---: | ---: |",
    ]
    for result in results:
        count = len(result.trials)
        held = count - len(result.failures)
        lines.append(
            f"| {result.row.name} | {result.row.promise} | {count:,} | {held:,} |"
        )
    trials = sum(len(result.trials) for result in results)
    failed = sum(len(result.failures) for result in results)
    lines.append(f"| | all | {trials:,} | {trials - failed:,} |")
    return "\n".join(lines)


def failures(results: Sequence[Result], shown: int = _SHOWN) -> list[str]:
    """A line for each of the first kinds of failures of each row."""
    return [line for result in results for line in _failures_of_a_kind(result, shown)]


def _failures_of_a_kind(result: Result, shown: int) -> list[str]:
    """A line for each kind of failure: how many, the first of them, and what did not hold."""
    kinds: dict[str, list[Trial]] = {}
    for trial in result.failures:
        kinds.setdefault(_kind(trial), []).append(trial)
    lines = []
    for trials in list(kinds.values())[:shown]:
        more = f" and {len(trials) - 1} more" if len(trials) > 1 else ""
        lines.append(
            f"- {result.row.name}: {trials[0].name}{more}: {trials[0].problem}"
        )
    return lines


def _kind(trial: Trial) -> str:
    """The beginning of what did not hold, without its numbers."""
    return "".join(
        letter for letter in (trial.problem or "")[:60] if not letter.isdigit()
    )


if __name__ == "__main__":
    sys.exit(main())
