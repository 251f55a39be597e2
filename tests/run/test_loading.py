"""Models of a run: loaded once, and let go with all that a failed load had made."""

from __future__ import annotations

import re

import pytest

from pytest_retrieval_robust.core.device import Slot

from ..conftest import SMALL
from ..forked_runs import forked_pytest

FAILING = """
import gc
import weakref

import pytest
from pytest_retrieval_robust.models import ModelEntry

MADE = []

class Weights:
    pass

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    def load(request):
        weights = Weights()
        MADE.append(weakref.ref(weights))
        raise RuntimeError("CUDA out of memory")

    catalogues.models.add(ModelEntry("heavy", "fails while it is loaded", load))

def pytest_sessionfinish():
    gc.collect()
    print("still there:", [reference() for reference in MADE])
"""
ASKS_TWICE = """
import pytest

@pytest.mark.parametrize("time", [1, 2])
def test_of_a_model(retrieval_model, time):
    pass
"""
COPIES = """
import pytest
import torch
from pytest_retrieval_robust.measure import batches
from pytest_retrieval_robust.models import ModelEntry

batches.PART = 8

torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: 4
torch.cuda.get_device_name = lambda number=0: "A"

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    def load(request):
        from pytest_retrieval_robust import load_model

        print("loaded on", request.device)
        model = load_model("tiny-cxr-clip", device="cpu")
        model.name = "shared"
        return model

    catalogues.models.add(ModelEntry("shared", "on several devices", load))
"""
SEARCHES_AND_TIMES = """
def test_search(breaking):
    assert breaking.images == 20

def test_time(occlusion_timer):
    assert occlusion_timer(images=2, rounds=3, calls=1).rounds == 3
"""


def test_a_load_that_failed_is_not_tried_again_and_leaves_nothing(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(FAILING)
    pytester.makepyfile(test_mine=ASKS_TWICE)
    result = pytester.runpytest_inprocess(*SMALL, "--robust-models=heavy", "-s")
    result.assert_outcomes(errors=1, skipped=1)
    result.stdout.fnmatch_lines(["*Expected room for heavy on cpu, got RuntimeError*"])
    result.stdout.fnmatch_lines(["*still there: [[]None]"])


@pytest.mark.parametrize(
    ("slot", "devices"),
    [
        (Slot(), ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]),
        (Slot(1, 2), ["cuda:1", "cuda:3"]),
    ],
    ids=str,
)
def test_searches_and_timers_use_all_devices_of_a_slot(
    slot: Slot,
    devices: list[str],
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytester.makeconftest(COPIES)
    pytester.makepyfile(test_mine=SEARCHES_AND_TIMES)
    monkeypatch.setenv("RETRIEVAL_ROBUST_SLOT", str(slot))
    # Not in this process: the suite changes torch.
    result = forked_pytest(
        pytester.path,
        *SMALL,
        "--robust-models=shared",
        "--robust-search-images=20",
        "--robust-search-grid=2",
        "--robust-k=1",
        "-s",
    )
    result.assert_outcomes(passed=3)
    assert re.findall(r"loaded on (\S+)", result.stdout.str()) == devices
