"""Whether a process that measures 20,000 cases grows: memory, descriptors, time per case.

`OMP_NUM_THREADS=1 python -m benchmarks.long_run [--cases N] [--page docs/growth.md]`

Two kinds of processes, each started anew. "Calls" evaluates one model after another from
Python, and keeps nothing. "A session" is a run of pytest with a test, an outcome and a
gate per case, of which everything is kept for the summary; beside it as many empty tests
with the same parameters without this plugin, because pytest keeps something of each test.

The encoders are tiny and real: each case hides a part of each picture, encodes and ranks.
Figures are noted at the end of each model's cases, the first of which begins with the
sweep of all of them. A process is warm after its first model; growth is what the others
add. Calls, which have one model, are cut into as many equal parts. What comes after the
last case is the end of a session: judging, saving and printing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from .pages import write_into

CASES = 20_000
LEVELS = "0.1,0.2,0.3,0.4,0.5"
OCCLUDERS = "patches,border,box,lines,side"
MODELS = 4
_LEVELS_AND_CLEAN = 1 + len(LEVELS.split(","))
_PER_SEED = MODELS * len(OCCLUDERS.split(",")) * _LEVELS_AND_CLEAN
SUITE = """
def test_case(outcome, clean_outcome, gate):
    assert gate.violations(outcome, clean_outcome) == []
"""
# Met by every mask: of 19,920 cases the least Recall@5 is 4 in 24.
POLICY = "[[gate]]\nrecall = { 5 = 0.1 }\n"
PLAIN = """
import pytest
import torch

AXES = {{"model": {models}, "occluder": 5, "level": 6, "seed": {seeds}}}

def pytest_generate_tests(metafunc):
    for name, count in AXES.items():
        metafunc.parametrize(name, range(count), scope="session")

def test_case(model, occluder, level, seed):
    pass
"""


@dataclass(frozen=True)
class Sample:
    """What a process held when so many cases were done."""

    cases: int
    resident: int
    """Bytes of its own: pages of files, as libraries are, are left out."""
    descriptors: int
    seconds: float
    """Of the processor, since the process began."""


@dataclass(frozen=True)
class End:
    """What a process had taken when it ended."""

    seconds: float
    """Of the processor."""
    peak: int
    """The most bytes that it ever held."""


@dataclass(frozen=True)
class Growth:
    """What one process held at the end of each model's cases, and took to its end."""

    name: str
    samples: Sequence[Sample]
    end: End

    @property
    def warm(self) -> Sample:
        return self.samples[0]

    @property
    def last(self) -> Sample:
        return self.samples[-1]

    @property
    def bytes_per_case(self) -> float:
        """Between the warm-up and the end."""
        cases = self.last.cases - self.warm.cases
        return (self.last.resident - self.warm.resident) / cases

    def milliseconds(self) -> list[float]:
        """Per case, of each model after the first one."""
        return [
            1000 * (end.seconds - begin.seconds) / (end.cases - begin.cases)
            for begin, end in pairwise(self.samples)
        ]

    def row(self) -> str:
        """In Markdown."""
        grown = self.last.resident / self.warm.resident - 1
        times = " | ".join(f"{time:.2f}" for time in self.milliseconds())
        return (
            f"| {self.name} | {self.last.cases:,} | {self.warm.resident / 1e6:.0f} |"
            f" {self.last.resident / 1e6:.0f} | {100 * grown:+.1f} % |"
            f" {self.bytes_per_case:,.0f} | {self.warm.descriptors} |"
            f" {self.last.descriptors} | {times} |"
            f" {self.end.seconds - self.last.seconds:.1f} | {self.end.peak / 1e6:.0f} |"
        )


def main() -> None:
    """Print the table, and write it into a page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument(
        "--sessions-alone", action="store_true", help="no calls from Python"
    )
    parser.add_argument("--page", type=Path, help="the page that gets the table")
    parsed = parser.parse_args()
    seeds = max(1, parsed.cases // _PER_SEED)
    growths = [_session(seeds), _plain_session(seeds)]
    if not parsed.sessions_alone:
        growths.insert(0, _calls(seeds))
    text = table(growths)
    print(text)
    if parsed.page is not None:
        write_into(parsed.page, text, "long run")


def table(growths: Sequence[Growth]) -> str:
    lines = [
        "| process | cases | MB warm | MB at the end | grown | bytes per case |"
        " descriptors warm | at the end | ms per case, second model | third | last |"
        " seconds after the last case | MB at most |",
        f"| --- |{' ---: |' * (8 + MODELS)}",
    ]
    return "\n".join([*lines, *(growth.row() for growth in growths)])


def _calls(seeds: int) -> Growth:
    arguments = ["-m", "benchmarks.long_run_cases", str(seeds * _PER_SEED)]
    return _measured("calls", arguments, {})


def _session(seeds: int) -> Growth:
    options = [
        f"--robust-models={','.join(f'toy-{number}' for number in range(MODELS))}",
        f"--robust-levels=0,{LEVELS}",
        f"--robust-seeds={','.join(map(str, range(seeds)))}",
        f"--robust-occluders={OCCLUDERS}",
        "--robust-datasets=toy-set",
        "--robust-no-cache",
        "--robust-results=results",
    ]
    files = {"test_cases.py": SUITE, "robust.toml": POLICY}
    return _measured("a session", [*_PYTEST, *options], files)


def _plain_session(seeds: int) -> Growth:
    files = {"test_cases.py": PLAIN.format(models=MODELS, seeds=seeds)}
    options = ["-p", "no:retrieval_robust"]
    return _measured("as many empty tests", [*_PYTEST, *options], files)


_PYTEST = (
    *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
    *("-p", "no:hypothesispytest", "-p", "benchmarks.long_run_cases"),
)


def _measured(name: str, arguments: Sequence[str], files: Mapping[str, str]) -> Growth:
    """Run a process that notes samples.

    Raises `RuntimeError` if it fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for file, text in files.items():
            (folder / file).write_text(text)
        notes = folder / "samples.jsonl"
        root = str(Path(__file__).parents[1])
        environment = {**os.environ, "PYTHONPATH": root, "LONG_RUN_NOTES": str(notes)}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(
                "Expected a run that passes, got"
                f" {done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        lines = notes.read_text().splitlines()
        samples = [Sample(**json.loads(line)) for line in lines]
        end = End(**json.loads(notes.with_suffix(".end").read_text()))
        return Growth(name, at_ends(samples), end)


def at_ends(samples: Sequence[Sample]) -> list[Sample]:
    """The last sample of each model: one that is later would hold the next one's sweep."""
    total = samples[-1].cases
    ends = [total * number // MODELS for number in range(1, MODELS + 1)]
    return [
        max(
            (sample for sample in samples if sample.cases <= end),
            key=lambda sample: sample.cases,
        )
        for end in ends
    ]


if __name__ == "__main__":
    main()
