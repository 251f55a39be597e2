"""A test that is stopped from outside, by pytest-timeout for one, in the middle of a sweep."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest
from torch import Tensor

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.run import SweepOptions, run_sweep
from pytest_retrieval_robust.models import ModelCard

from ..core.sweeps import encoder_of
from ..forked_runs import forked_pytest
from ..measure.sweep.test_devices import ranks
from ..measure.sweep.test_sweep import RECORDS, Pixels

CONFTEST = """
import signal, time
import pytest
from pathlib import Path
from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.models import ModelEntry

class Hanging:
    name, device = "hanging", "cpu"
    def __init__(self):
        self._inner = load_model("tiny-cxr-clip", device="cpu")
        self.card = self._inner.card
        self.prepare = self._inner.prepare
        self.encode_reports = self._inner.encode_reports
    def encode_images(self, pixels):
        if len(pixels) > 4:  # not at the warm-up
            with Path("sweeps.txt").open("a") as file:
                file.write("x")
            signal.setitimer(signal.ITIMER_REAL, 0.2)  # pytest-timeout's own signal
            time.sleep(600)
        return self._inner.encode_images(pixels)

def pytest_robust_register(catalogues):
    catalogues.models.add(ModelEntry("hanging", "hangs", lambda request: Hanging()))

def ring(*_):
    pytest.fail("Timeout (>0.2s) from pytest-timeout.")

signal.signal(signal.SIGALRM, ring)
"""
needs_alarm = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs SIGALRM")


@needs_alarm
def test_a_sweep_that_was_interrupted_is_not_begun_again(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        test_mine=(
            "def test_recall(outcome, gate):\n    assert gate.violations(outcome) =="
            " []\n"
        )
    )
    options = (
        "--robust-models=hanging",
        "--robust-limit=12",
        "--robust-levels=0.2,0.3",
        "-p",
        "no:cacheprovider",
    )
    run = forked_pytest(pytester.path, *options, "--robust-no-cache")
    run.assert_outcomes(errors=3)
    assert (pytester.path / "sweeps.txt").read_text() == "x"
    said = [
        line
        for line in run.outlines
        if "Expected the sweep of hanging on synthetic-cxr to end" in line
    ]
    assert len(said) >= 2
    assert (
        "it was interrupted (Failed). The first test of a model and data set measures"
        " all of their cells" in said[0]
    )


class _TimeOutError(BaseException):
    """As pytest's own outcomes: no `Exception`."""


@needs_alarm
@pytest.mark.parametrize("lanes", [1, 2])
def test_an_alarm_in_the_middle_of_a_sweep_ends_its_threads(
    lanes: int, tmp_path: Any
) -> None:
    class Slow(Pixels):
        armed = True

        def encode_images(self, pixels: Tensor) -> Tensor:
            if Slow.armed and len(pixels) == 3:
                Slow.armed = False
                signal.pthread_kill(threading.main_thread().ident, signal.SIGALRM)  # type: ignore[arg-type]
            return super().encode_images(pixels)

    def ring(*_: Any) -> None:
        raise _TimeOutError

    cells = [
        (Cell("patches", level, 0), load_occluder("patches")) for level in (0.2, 0.4)
    ]
    card = ModelCard("test", sha256="ab")
    models = [encoder_of(Slow, card=card) for _ in range(lanes)]
    before, threads = signal.signal(signal.SIGALRM, ring), threading.active_count()
    store = EmbeddingStore(tmp_path)
    try:
        with pytest.raises(_TimeOutError):
            run_sweep(
                models[0],
                pairs_of(RECORDS),
                cells,
                (1,),
                SweepOptions(batch_size=3, store=store, copies=lambda: models[1:]),
            )
    finally:
        signal.signal(signal.SIGALRM, before)
    assert threading.active_count() == threads
    # What was stored before fits, and the same model goes on.
    again = run_sweep(
        models[0],
        pairs_of(RECORDS),
        cells,
        (1,),
        SweepOptions(batch_size=3, store=store),
    )
    whole = run_sweep(
        encoder_of(Pixels, card=card),
        pairs_of(RECORDS),
        cells,
        (1,),
        SweepOptions(batch_size=3),
    )
    assert ranks(again) == ranks(whole)
