"""The processes of `long_run`: calls from Python, and a plugin for its sessions of pytest."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.datasets import DatasetEntry

from .hostile.toy import DATASET, ToyDataset, ToyEncoder, model_entry
from .long_run import LEVELS, MODELS, OCCLUDERS, End, Sample

PAIRS = 24
_EVERY = 10
"""Cases between two samples."""
_done = 0


def note_case(count: int = 1) -> None:
    """Count cases; every ten of them what the process holds is noted."""
    global _done
    before = _done // _EVERY
    _done += count
    if _done // _EVERY == before:
        return
    _, resident, of_files, *_ = Path("/proc/self/statm").read_text().split()
    # Pages of libraries come and go with what other processes ask of the machine.
    own_pages = int(resident) - int(of_files)
    sample = Sample(
        cases=_done,
        resident=own_pages * os.sysconf("SC_PAGE_SIZE"),
        descriptors=len(os.listdir("/proc/self/fd")),
        seconds=time.process_time(),
    )
    with Path(os.environ["LONG_RUN_NOTES"]).open("a") as stream:
        stream.write(json.dumps(asdict(sample)) + "\n")


def note_end() -> None:
    """Note what the process has taken, as the last thing that it does."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    end = End(seconds=time.process_time(), peak=1024 * usage.ru_maxrss)
    path = Path(os.environ["LONG_RUN_NOTES"]).with_suffix(".end")
    path.write_text(json.dumps(asdict(end)))


def pytest_runtest_logfinish() -> None:
    note_case()


def pytest_unconfigure() -> None:
    note_end()


@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues: Catalogues) -> None:
    """A few tiny encoders and a small data set."""
    for number in range(MODELS):
        catalogues.models.add(model_entry(f"toy-{number}"))
    catalogues.datasets.add(DatasetEntry(DATASET, "toys", lambda: ToyDataset(PAIRS)))


def main(cases: int) -> None:
    """Measure so many cases, a few per call, each with a seed of its own."""
    from pytest_retrieval_robust import evaluate, load_occluder

    levels = [float(level) for level in LEVELS.split(",")]
    occluders = OCCLUDERS.split(",")
    with tempfile.TemporaryDirectory() as cache:
        for number in range(cases // len(levels)):
            evaluate(
                ToyEncoder(),
                ToyDataset(PAIRS),
                load_occluder(occluders[number % len(occluders)]),
                levels=levels,
                seed=number,
                **({"cache_dir": cache} if number % 2 else {"cache": False}),
            )
            note_case(len(levels))
    note_end()


if __name__ == "__main__":
    main(int(sys.argv[1]))
