"""Two processes of `encode` beside one, on the same cores each.

`python -m benchmarks.parts [--images 200] [--rounds 3]`

JPEGs of 1,024 x 1,024, ViT-B/32 of open_clip's size with random weights, one level of
`patches`, one thread per process. In turns: one process that encodes all, and two that
encode a part each, at once; every one into a store of its own. The time is that of the
last process from its first batch to its last, as its closing line says, because starting
Python and reading the model takes the same however long the parts are. Then a part is
killed, and begun again: what it encodes twice is counted.

Beside other work two processes get less than two cores, so that their seconds say
little. The same ratio is printed in seconds of a processor, of which those of a part that
finds everything in the store, which are mostly Python's start, are taken off.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pytest_retrieval_robust.measure.embeddings.store import FOLDER, EmbeddingStore

from .sweep import jpegs, random_model

SUITE = "def test_recall(outcome): assert outcome\n"
CONFTEST = """
from pytest_retrieval_robust.models import ModelEntry
from benchmarks.sweep import random_model
from pathlib import Path

def pytest_robust_register(catalogues):
    load = lambda request: random_model(Path(__file__).parent, "fp32", "cpu")
    catalogues.models.add(ModelEntry("vit", "random weights", load))
"""
BATCH = 8
_CLOSING = re.compile(r"batches (\d+) done.*; ([0-9.]+) s, idle ([0-9.]+) %")


@dataclass(frozen=True)
class Ended:
    """What a part said at its end."""

    done: int
    seconds: float
    idle: float
    """Per cent of its seconds."""
    processor: float
    """Seconds of a processor, from the start of Python to its end."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jpegs(folder, parsed.images)
        random_model(folder, "fp32", "cpu")
        (folder / "test_suite.py").write_text(SUITE)
        (folder / "conftest.py").write_text(CONFTEST)
        ratios = []
        by_processor = []
        idle = []
        for number in range(parsed.rounds):
            (alone,) = _ended(_started(folder, f"alone-{number}", ["1/1"]))
            both = _ended(_started(folder, f"both-{number}", ["1/2", "2/2"]))
            (found,) = _ended(_started(folder, f"alone-{number}", ["1/1"]))
            slower = max(part.seconds for part in both)
            work = max(part.processor for part in both) - found.processor
            ratios.append(alone.seconds / slower)
            by_processor.append((alone.processor - found.processor) / work)
            idle += [part.idle for part in (alone, *both)]
            print(f"{alone.seconds:.1f} s alone, {slower:.1f} s in two parts")
        print(f"speed of two processes to one: {_shown(ratios)}")
        print(f"by seconds of a processor: {_shown(by_processor)}")
        print(f"idle at most {max(idle):.1f} %")
        _resume(folder)


def _shown(ratios: Sequence[float]) -> str:
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _started(
    folder: Path, cache: str, parts: Sequence[str]
) -> list[subprocess.Popen[str]]:
    """`encode` for each of the parts, all at once."""
    command = [sys.executable, "-m", "pytest_retrieval_robust", "encode"]
    options = [
        "--robust-models=vit",
        "--robust-datasets=table(path=table.csv)",
        "--robust-levels=0.3",
        f"--robust-batch-size={BATCH}",
        f"--robust-cache-dir={cache}",
    ]
    path = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    return [
        subprocess.Popen(
            [*command, *options, f"--part={part}"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for part in parts
    ]


def _ended(processes: Sequence[subprocess.Popen[str]]) -> list[Ended]:
    ended = []
    for process in processes:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        closing = _CLOSING.search(said)
        if closing is None:
            raise SystemExit(said)
        ended.append(
            Ended(
                int(closing[1]),
                float(closing[2]),
                float(closing[3]),
                used.ru_utime + used.ru_stime,
            )
        )
    return ended


def _resume(folder: Path) -> None:
    """Kill a part once it has kept a few batches, and begin it again."""
    store = EmbeddingStore(folder / "killed" / FOLDER)
    (process,) = _started(folder, "killed", ["1/1"])
    while len(_keys(store)) < 40:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    kept = _keys(store)
    (again,) = _ended(_started(folder, "killed", ["1/1"]))
    print(
        f"killed with {len(kept)} shards kept; begun again it encoded {again.done}"
        f" batches and {len(_keys(store)) - len(kept)} shards that were not there"
    )


def _keys(store: EmbeddingStore) -> set[str]:
    return {file.key for file in store.files()}


if __name__ == "__main__":
    main()
