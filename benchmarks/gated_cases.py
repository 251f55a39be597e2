"""What gates cost: 10,000 gated cases with outcomes beside as many empty tests.

`OMP_NUM_THREADS=1 python -m benchmarks.gated_cases [--rounds N] [--workers N]
[--only NAME ...]`

4 models x 5 occluders x 10 levels x 50 seeds on 500 pairs. The numbers are not measured
but drawn: the sweep of a model is replaced by one that draws the ranks of each cell,
and computes their scores. So each case has ranks of its own, as it would in a release
gate. The other side has the same five parameters through fixtures of its own, and two
fixtures more that depend on all of them, without this plugin; it imports torch too.

Each run is a process of its own, the sides in turn, every round in the other order. A
figure is processor time from the process's start to its end, children included, which
other work on the machine disturbs least. Of ours the drawing is taken off: encoding and
ranking are the work that the tests are there for. What is left is collection, fixtures,
judging by the tests, reports of the tests, judging by the controller, the summary,
`run.json` and `ranks.npz`. "end" is the part of it after the last test. A ratio is the
median of the ratios of a round.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

MODELS = 4
SEEDS = 50
LEVELS = "0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9"
OCCLUDERS = "patches,border,box,boxes,side"
NOTES = "seconds.jsonl"
"""Where a process of ours notes what its parts took."""
BASELINE = "baseline"
PLAIN = """
import pytest
import torch

AXES = {
    "model": range(4),
    "dataset": range(1),
    "occluder": range(5),
    "level": range(10),
    "seed": range(50),
}

def pytest_generate_tests(metafunc):
    for name, values in AXES.items():
        metafunc.parametrize(name, values, indirect=True, scope="session")

def fixture(name):
    @pytest.fixture(scope="session", name=name)
    def of_this_name(request):
        return request.param
    return of_this_name

model, dataset, occluder, level, seed = map(fixture, AXES)

@pytest.fixture(scope="session")
def case(model, dataset, occluder, level, seed):
    return model, dataset, occluder, level, seed

@pytest.fixture(scope="session")
def outcome(case):
    return case

@pytest.fixture(scope="session")
def clean_outcome(case):
    return case

@pytest.fixture
def gate():
    return []

def test_case(outcome, clean_outcome, gate):
    assert gate == []
"""
OURS = """
def test_case(outcome, clean_outcome, gate):
    assert gate.violations(outcome, clean_outcome) == []
"""
CONFTEST = '''
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import pytest_retrieval_robust.measure.sweep.run as sweep
from pytest_retrieval_robust.core.cases import CLEAN
from pytest_retrieval_robust.datasets import DatasetEntry
from pytest_retrieval_robust.measure.sweep.scores import both_scores
from pytest_retrieval_robust.models import ModelCard, ModelEntry, Prepared

PAIRS = 500
METRICS = {"hit-rate(k=3)": 0.5}

def note(**seconds):
    with Path(__file__).with_name("seconds.jsonl").open("a") as stream:
        stream.write(json.dumps(seconds) + "\\n")

class Ready:
    device, frame, card = "cpu", (0.0, 0.0, 1.0, 1.0), ModelCard("benchmark")

    def __init__(self, name):
        self.name = name

    def prepare(self, image):
        pixels = np.asarray(image.convert("RGB").resize((16, 16)))
        return Prepared(pixels.transpose(2, 0, 1).copy(), self.frame)

    def encode_images(self, pixels):
        return torch.nn.functional.normalize(pixels[:, 0].flatten(1) + 0.01, dim=1)

    def encode_reports(self, texts):
        rows = [np.random.default_rng(len(text)).normal(size=256) for text in texts]
        rows = torch.from_numpy(np.stack(rows)).float()
        return torch.nn.functional.normalize(rows, dim=1)

class Few:
    name, split, text, relevance, fingerprint = "few", "test", "full", "same-text", "few"
    image_ids = [f"image-{number}" for number in range(PAIRS)]
    patients = PATIENTS
    reports = [f"report {'word ' * number}" for number in range(PAIRS)]
    image_groups = report_groups = np.arange(PAIRS)

    def image(self, index):
        from PIL import Image

        random = np.random.default_rng(index)
        return Image.fromarray(random.integers(0, 255, (16, 16), dtype=np.uint8))

measured = sweep.run_sweep

def drawn(model, pairs, cells, ks, options, **others):
    """What a sweep gives, of ranks that are drawn: fewer hits the more is hidden."""
    begin = time.process_time()
    result = measured(model, pairs, cells[:1], ks, options, **others)
    example = result.cells[cells[0][0]]

    def draw(cell):
        words = f"{SALT} {model.name} {cell}".encode()
        random = np.random.default_rng(list(words))
        sides = []
        for _ in range(2):
            hit = random.random(PAIRS) < 0.95 - 0.4 * cell.level
            first = random.integers(1, 11, PAIRS)
            anywhere = random.integers(1, PAIRS + 1, PAIRS)
            sides.append(np.where(hit, first, anywhere).astype(np.int64))
        scores = [
            replace(each, metrics={m.name: m.value(ranks) for m in options.metrics})
            for ranks, each in zip(sides, both_scores(*sides, pairs, ks))
        ]
        return replace(
            example,
            image_to_report=scores[0],
            report_to_image=scores[1],
            image_ranks=sides[0],
            report_ranks=sides[1],
        )

    every = {cell: draw(cell) for cell in (CLEAN, *(cell for cell, _ in cells))}
    note(sweep=time.process_time() - begin)
    return replace(result, cells=every)

sweep.run_sweep = drawn

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    for number in range(4):
        name = f"ready-{number}"
        entry = ModelEntry(name, "drawn", lambda request, name=name: Ready(name))
        catalogues.models.add(entry)
    catalogues.datasets.add(DatasetEntry("few", "a few small images", Few))

begun = []

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session):
    try:
        return (yield)
    finally:
        begun.append(time.process_time())

def pytest_unconfigure(config):
    if begun and not hasattr(config, "workerinput"):
        note(end=time.process_time() - begun[0])
'''
ALONE = "[f'patient-{number}' for number in range(PAIRS)]"
POLICIES: Mapping[str, str] = {
    "recall": '[[gate]]\ndecide = "bound"\nrecall = { 10 = 0.2 }\n',
    "recall and metric": (
        '[[gate]]\nrecall = { 1 = 0.01, 10 = 0.2 }\nmetric = { "mrr" = 0.01 }\n'
    ),
    "recall and retention": (
        "[[gate]]\nrecall = { 10 = 0.2 }\nretention = { 10 = 0.2 }\n"
    ),
    "recall beside a baseline": (
        "[[gate]]\nrecall = { 10 = 0.2 }\n"
        'not_worse_than_baseline = { k = 10, margin = 0.5, over = "cells" }\n'
    ),
}
"""What gates are stated, by the name of the side."""


@dataclass(frozen=True)
class Seconds:
    """Processor time of a run, and of its parts."""

    total: float
    sweep: float = 0.0
    end: float = 0.0

    @property
    def rest(self) -> float:
        """All but the drawing of ranks."""
        return self.total - self.sweep


@dataclass(frozen=True)
class Side:
    """A suite, and how pytest is run on it."""

    files: Mapping[str, str]
    options: tuple[str, ...]

    def seconds(self, folder: Path) -> Seconds:
        """What its process took.

        Raises `RuntimeError` if a test fails or none runs.
        """
        for name, text in self.files.items():
            (folder / name).write_text(text)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
        before = _of_children()
        done = subprocess.run(
            [*command, *self.options],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        total = _of_children() - before
        if done.returncode != 0 or not re.search(r"\d+ passed", done.stdout):
            raise RuntimeError(
                "Expected tests that pass, got"
                f" {done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        notes: dict[str, float] = {"sweep": 0.0, "end": 0.0}
        if (folder / NOTES).exists():
            for line in (folder / NOTES).read_text().splitlines():
                for part, seconds in json.loads(line).items():
                    notes[part] += seconds
            (folder / NOTES).unlink()
        return Seconds(total, **notes)


def _of_children() -> float:
    """Processor time, user and system, of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--only", nargs="*", default=list(POLICIES))
    arguments = parser.parse_args()
    count = MODELS * 50 * arguments.seeds
    threads = os.environ.get("OMP_NUM_THREADS")
    print(f"Python {sys.version.split()[0]}, OMP_NUM_THREADS={threads}")
    workers = f", -n {arguments.workers}" if arguments.workers else ""
    print(f"\n{count:,} cases{workers}, {arguments.rounds} rounds\n")
    with tempfile.TemporaryDirectory() as scratch:
        sides = sides_of(
            arguments.only, arguments.seeds, arguments.workers, Path(scratch)
        )
        rows = side_by_side(sides, Path(scratch), arguments.rounds)
    print("\n".join(rows))


def sides_of(
    names: Sequence[str], seeds: int, workers: int, scratch: Path
) -> dict[str, Side]:
    """The plain side and those with gates; a baseline is measured first."""
    spread: tuple[str, ...] = ("-n", str(workers)) if workers else ("-p", "no:xdist")
    # Hypothesis is imported at the end of every run by its own plugin: a cost of neither.
    spread = (*spread, "-p", "no:hypothesispytest")
    plain = PLAIN.replace("range(50)", f"range({seeds})")
    sides = {
        "plain": Side({"test_a.py": plain}, ("-p", "no:retrieval_robust", *spread))
    }
    for name in names:
        beside: tuple[str, ...] = ()
        if BASELINE in name:
            beside = (f"--robust-baseline={baseline(scratch, seeds)}",)
        sides[name] = Side(
            files(POLICIES[name]),
            (*options(seeds), *spread, *beside, "--robust-results=results"),
        )
    return sides


def baseline(scratch: Path, seeds: int) -> Path:
    """The results of a run of the same suite, with other ranks."""
    folder = scratch / BASELINE
    folder.mkdir()
    # Without gates a run is not judged, and fails: one that holds everywhere is stated.
    suite = files(POLICIES["recall"], salt="baseline")
    Side(suite, (*options(seeds), "--robust-results=results")).seconds(folder)
    return folder / "results"


def files(policy: str, *, salt: str = "", patients: str = ALONE) -> dict[str, str]:
    """The files of a suite with gates."""
    conftest = CONFTEST.replace("SALT", repr(salt)).replace("PATIENTS", patients)
    return {"test_a.py": OURS, "conftest.py": conftest, "robust.toml": policy}


def options(seeds: int) -> tuple[str, ...]:
    """The options of a run with gates."""
    return (
        "--robust-models=ready-0,ready-1,ready-2,ready-3",
        f"--robust-levels={LEVELS}",
        f"--robust-seeds={','.join(map(str, range(seeds)))}",
        f"--robust-occluders={OCCLUDERS}",
        "--robust-datasets=few",
        "--robust-no-cache",
    )


def side_by_side(sides: Mapping[str, Side], scratch: Path, rounds: int) -> list[str]:
    """The rows of a table: what each side takes, and how many times what plain pytest takes."""
    timed: list[dict[str, Seconds]] = []
    for number in range(rounds):
        order = list(sides)
        # Every other round backwards, so that no side profits from its place.
        if number % 2 == 1:
            order.reverse()
        seconds: dict[str, Seconds] = {}
        for name in order:
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                seconds[name] = sides[name].seconds(Path(folder))
        timed.append(seconds)
    rows = [
        "| | s without the drawing | times plain | least and most | end, s | drawing, s |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in sides:
        ratios = sorted(each[name].rest / each["plain"].rest for each in timed)
        rest = median(each[name].rest for each in timed)
        end = median(each[name].end for each in timed)
        sweep = median(each[name].sweep for each in timed)
        rows.append(
            f"| {name} | {rest:.2f} | {median(ratios):.2f} | {ratios[0]:.2f} to"
            f" {ratios[-1]:.2f} | {end:.2f} | {sweep:.2f} |"
        )
    return rows


if __name__ == "__main__":
    main()
