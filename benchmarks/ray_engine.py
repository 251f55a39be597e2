"""A sweep by actors of Ray beside the same sweep in this process.

`python -m benchmarks.ray_engine [--images 400] [--actors 2]`

JPEGs of 1,024 x 1,024, ViT-B/32 of open_clip's size with random weights, levels 0 to 0.5
of `patches`, on the processor. In turns, in one run: the local engine, whose passes use
all cores, and actors that have them between them. Printed are, for each round, the
seconds of both from the first report to the last batch, their ratio, the share of that
time in which actors waited for batches, and, apart from it, the seconds in which the
actors started and got ready (the first round) or got ready again. Ranks of both have to
be equal.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pytest_retrieval_robust.core.cases import CLEAN, Cell
from pytest_retrieval_robust.measure.sweep.local import local_engine
from pytest_retrieval_robust.measure.sweep.results import Measured
from pytest_retrieval_robust.measure.sweep.run import run_sweep
from pytest_retrieval_robust.run.collected_suite import collect_suite
from pytest_retrieval_robust.run.ray.engine import RaySweep
from pytest_retrieval_robust.run.session.sweep_inputs import SweepInputs, sweep_inputs

from .sweep import LEVELS, jpegs, random_model

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_retrieval_robust.core.outcomes import Timing
    from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
    from pytest_retrieval_robust.measure.sweep.engine import Engine, SweepEngine
    from pytest_retrieval_robust.measure.sweep.plan import SweepPlan
    from pytest_retrieval_robust.measure.sweep.receiver import Receiver
    from pytest_retrieval_robust.measure.sweep.space import RowSpace
    from pytest_retrieval_robust.run.session import RobustSession

CONFTEST = """
from pathlib import Path

from pytest_retrieval_robust.models import ModelEntry
from pytest_retrieval_robust.models._formats.open_clip.loading import load_file

FILE = Path(__file__).parent / "ViT-B-32.pt"


def load(request):
    return load_file("vit", "ViT-B-32", FILE, request, source="random weights")


def pytest_robust_register(catalogues):
    catalogues.models.add(ModelEntry("vit", "random weights", load))
"""
TABLE = '[datasets.table]\npath = "table.csv"\n'
TEST = "def test_recall(outcome, gate):\n    assert gate.violations(outcome) == []\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--actors", type=int, default=2)
    parser.add_argument("--levels", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        session = _session(Path(folder), parsed)
        try:
            _compare(session, LEVELS[: parsed.levels], parsed.rounds)
        finally:
            session.close()


def _session(folder: Path, parsed: argparse.Namespace) -> RobustSession:
    """A suite of one model and data set, collected."""
    jpegs(folder, parsed.images)
    random_model(folder, "fp32", "cpu")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "robust.toml").write_text(TABLE)
    (folder / "test_it.py").write_text(TEST)
    return collect_suite(
        [
            str(folder),
            "--robust-models=vit",
            "--robust-datasets=table",
            "--robust-device=cpu",
            "--robust-no-cache",
            f"--robust-batch-size={parsed.batch_size}",
            "--robust-engine=ray",
            f"--robust-ray-actors={parsed.actors}",
        ]
    ).session


class Timed:
    """An engine that counts its seconds."""

    def __init__(self, engine: SweepEngine) -> None:
        self._engine = engine
        self.ready_seconds = 0.0
        self.seconds = 0.0
        if isinstance(engine, RaySweep):
            begun = time.perf_counter()
            engine.prepare()
            self.ready_seconds = time.perf_counter() - begun

    def gallery(self, space: RowSpace, cell: Cell = CLEAN) -> Tensor:
        begun = time.perf_counter()
        rows = self._engine.gallery(space, cell)
        self.seconds += time.perf_counter() - begun
        return rows

    def gather(self, reports: Tensor, receiver: Receiver) -> None:
        begun = time.perf_counter()
        self._engine.gather(reports, receiver)
        self.seconds += time.perf_counter() - begun

    def timing(self, cell: Cell, encoded: int, images: int) -> Timing:
        return self._engine.timing(cell, encoded, images)

    @property
    def idle_share(self) -> float:
        """Of the time of all actors."""
        if not isinstance(self._engine, RaySweep):
            return 0.0
        busy = sum(actor.busy_seconds for actor in self._engine.spent)
        return 1 - busy / (self.seconds * len(self._engine.spent))


@dataclass
class Side:
    """One side of a round."""

    engine: Engine
    timed: Timed | None = None

    def begin(self, plan: SweepPlan, store: EmbeddingStore | None) -> SweepEngine:
        self.timed = Timed(self.engine(plan, store))
        return self.timed


def _compare(session: RobustSession, levels: tuple[float, ...], rounds: int) -> None:
    cells = [Cell("patches", level, 0) for level in levels]
    begun = time.perf_counter()
    inputs = sweep_inputs(session, session.loader, "vit", "table", cells)
    print(f"begun in {time.perf_counter() - begun:.1f} s")
    assert inputs.options.engine is not None
    ratios = []
    for number in range(rounds):
        sides = {"local": Side(local_engine()), "ray": Side(inputs.options.engine)}
        ranks = {}
        for name, side in sides.items():
            ranks[name] = _ranks(inputs, side)
        local = sides["local"].timed
        ray = sides["ray"].timed
        assert local is not None
        assert ray is not None
        assert all(map(np.array_equal, ranks["local"], ranks["ray"]))
        ratios.append(ray.seconds / local.seconds)
        print(
            f"round {number}: local {local.seconds:.1f} s, ray {ray.seconds:.1f} s, ratio"
            f" {ratios[-1]:.3f}, idle {100 * ray.idle_share:.1f} %, ready in"
            f" {ray.ready_seconds:.1f} s",
            flush=True,
        )
    print(f"ray / local: {median(ratios):.3f} [{min(ratios):.3f}-{max(ratios):.3f}]")


def _ranks(inputs: SweepInputs, side: Side) -> list[NDArray[np.int64]]:
    """The ranks of every cell."""
    options = replace(inputs.options, engine=side.begin)
    result = run_sweep(inputs.encoder, inputs.pairs, inputs.cells, inputs.ks, options)
    ranks = []
    for measured in result.cells.values():
        assert isinstance(measured, Measured)
        ranks.append(measured.image_ranks)
    return ranks


if __name__ == "__main__":
    main()
