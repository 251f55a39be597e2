"""What the plugin costs a pytest run: `OMP_NUM_THREADS=1 python -m
benchmarks.collection [--rounds N] [--cases N]`.

Each run is a process of its own, the sides in turn, every round in the other order. A
figure is the median over rounds of the processor time from the process's start to its
end, which other work on the machine disturbs least, and a ratio the median of the
ratios of a round. A foreign suite, with the plugin and with `-p no:retrieval_robust`:
one test, and 5,000 empty parametrised ones. Then cases of ours beside as many empty
parametrised tests, with collection, reports and summary.

What a case is here: a cell of 100 levels and as many mask seeds as it takes, of a model
and a data set of a few images whose measuring costs nothing, since one cell's ranks
stand for all. "fixtures": a test that asks for the five fixtures and measures nothing.
"outcomes": a test that asks for its outcome and is gated: the ranks of each case are
kept, its bounds estimated, its verdict made, by the test and again at the end; then
come the bootstrap of each curve, the spread between masks, and the tables. The other
side imports torch too, for it takes seconds, and since pytest attaches its log handlers
to each logger that does not propagate: torch has dozens. It has one parameter, or the
same five through fixtures of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

LEVELS = 100
WITHOUT = ("-p", "no:retrieval_robust")
ONE = "def test_one(): pass\n"
EMPTY = (
    "import pytest\n\n@pytest.mark.parametrize('number', range({count}))\ndef"
    " test_empty(number): pass\n"
)
FIVE = """
import pytest

AXES = {{"a": ["one"], "b": ["one"], "c": ["one"], "d": range({levels}), "e": range({seeds})}}

def pytest_generate_tests(metafunc):
    for name, values in AXES.items():
        metafunc.parametrize(name, values, indirect=True, scope="session")

def fixture(name):
    @pytest.fixture(scope="session", name=name)
    def of_this_name(request):
        return request.param
    return of_this_name

a, b, c, d, e = map(fixture, AXES)

def test_empty(a, b, c, d, e): pass
"""
FIXTURES = """
def test_case(retrieval_model, retrieval_dataset, occluder, occlusion_level, occlusion_seed): pass
"""
OUTCOMES = """
def test_case(outcome, clean_outcome, gate):
    assert gate.violations(outcome, clean_outcome) == []
"""
GATE = "[[gate]]\nrecall = { 10 = 0.0 }\n"
READY = """
from dataclasses import replace

import numpy as np
import pytest
import torch

import pytest_retrieval_robust.measure.sweep.run as sweep
from pytest_retrieval_robust.core.cases import CLEAN
from pytest_retrieval_robust.datasets import DatasetEntry
from pytest_retrieval_robust.models import ModelCard, ModelEntry, Prepared

class Ready:
    name, device, frame, card = "ready", "cpu", (0.0, 0.0, 1.0, 1.0), ModelCard("benchmark")

    def prepare(self, image):
        pixels = np.asarray(image.convert("RGB").resize((16, 16)))
        return Prepared(pixels.transpose(2, 0, 1).copy(), self.frame)

    def encode_images(self, pixels):
        return torch.nn.functional.normalize(pixels[:, 0].flatten(1) + 0.01, dim=1)

    def encode_reports(self, texts):
        rows = np.stack([np.random.default_rng(len(text)).normal(size=256) for text in texts])
        return torch.nn.functional.normalize(torch.from_numpy(rows).float(), dim=1)

class Few:
    name, split, text, relevance, fingerprint = "few", "test", "full", "same-text", "few"
    image_ids = patients = [f"image-{number}" for number in range(24)]
    reports = [f"report {'of one more word ' * number}" for number in range(24)]
    image_groups = report_groups = np.arange(24)

    def image(self, index):
        from PIL import Image

        random = np.random.default_rng(index)
        return Image.fromarray(random.integers(0, 255, (20, 30), dtype=np.uint8))

measured = sweep.run_sweep

def one_for_all(model, pairs, cells, ks, **others):
    result = measured(model, pairs, cells[:1], ks, **others)
    first = result.cells[cells[0][0]]
    every = dict.fromkeys((cell for cell, _ in cells), first)
    return replace(result, cells={CLEAN: result.cells[CLEAN], **every})

sweep.run_sweep = one_for_all

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    catalogues.models.add(ModelEntry("ready", "measured before", lambda request: Ready()))
    catalogues.datasets.add(DatasetEntry("few", "a few small images", Few))
"""


@dataclass(frozen=True)
class Side:
    """A suite, and how pytest is run on it."""

    files: Mapping[str, str]
    options: tuple[str, ...]

    def seconds(self, folder: Path) -> float:
        """Processor time of its process, from start to end.

        Raises `RuntimeError` if a test fails or none runs.
        """
        for name, text in self.files.items():
            (folder / name).write_text(text)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            *self.options,
        ]
        before = _of_children()
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False
        )
        took = _of_children() - before
        if done.returncode != 0 or not re.search(r"\d+ passed", done.stdout):
            raise RuntimeError(
                "Expected tests that pass, got"
                f" {done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        return took


def _of_children() -> float:
    """Processor time, user and system, of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print each table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", type=int, default=10_000)
    arguments = parser.parse_args()
    print(
        f"Python {sys.version.split()[0]},"
        f" OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS')}"
    )
    for title, text in (
        ("one test", ONE),
        ("5,000 empty tests", EMPTY.format(count=5000)),
    ):
        sides = {
            "without": Side({"test_a.py": text}, WITHOUT),
            "with the plugin": Side({"test_a.py": text}, ()),
        }
        side_by_side(f"A foreign suite, {title}", sides, arguments.rounds)
    side_by_side(
        f"{arguments.cases:,} cases", cases(arguments.cases // LEVELS), arguments.rounds
    )


def cases(seeds: int) -> dict[str, Side]:
    """The sides of `LEVELS` x `seeds` cases."""
    torch = {"conftest.py": "import torch\n"}
    levels = ",".join(f"{number / LEVELS:g}" for number in range(LEVELS))
    options = (
        "--robust-models=ready",
        f"--robust-levels={levels}",
        f"--robust-seeds={','.join(map(str, range(seeds)))}",
        "--robust-datasets=few",
        "--robust-no-cache",
    )
    return {
        "empty, one parameter": Side(
            {"test_a.py": EMPTY.format(count=LEVELS * seeds), **torch}, WITHOUT
        ),
        "empty, five parameters": Side(
            {"test_a.py": FIVE.format(levels=LEVELS, seeds=seeds), **torch}, WITHOUT
        ),
        "ours, fixtures": Side({"test_a.py": FIXTURES, "conftest.py": READY}, options),
        "ours, outcomes": Side(
            {"test_a.py": OUTCOMES, "conftest.py": READY, "robust.toml": GATE}, options
        ),
    }


def side_by_side(title: str, sides: Mapping[str, Side], rounds: int) -> None:
    """Print what each side takes, and how many times what the first one takes."""
    timed: list[dict[str, float]] = []
    for number in range(rounds):
        order = list(sides)
        # Every other round backwards, so that no side profits from its place.
        if number % 2 == 1:
            order.reverse()
        seconds: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as scratch:
            for name in order:
                folder = Path(scratch) / name
                folder.mkdir()
                seconds[name] = sides[name].seconds(folder)
        timed.append(seconds)
    print(
        f"\n{title}, {rounds} rounds\n\n| | s | times the first | least and most |\n|"
        " --- | --- | --- | --- |"
    )
    first = next(iter(sides))
    for name in sides:
        ratios = sorted(seconds[name] / seconds[first] for seconds in timed)
        middle = median(seconds[name] for seconds in timed)
        print(
            f"| {name} | {middle:.2f} | {median(ratios):.3f} | {ratios[0]:.3f} to"
            f" {ratios[-1]:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
