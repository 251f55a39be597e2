"""Models of a run that prepare alike have each image decoded once, with the same results."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from pytest_retrieval_robust.measure.sweep.kept_pictures import KeptPictures
from pytest_retrieval_robust.run.session.shared_pictures import SharedPictures

from ..conftest import Run

ALIKE = "tiny-cxr-clip,tiny-cxr-clip-robust"
UNALIKE = "tiny-cxr-clip,unalike"
OPTIONS = ("--robust-no-cache", "--robust-measure-only")
OWN_MODEL = """
import pytest
from pytest_retrieval_robust.models import ModelEntry

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    from pytest_retrieval_robust import load_model

    def load(request):
        model = load_model("tiny-cxr-clip-robust", device=request.device)
        model.name = "unalike"
        prepare = model.prepare
        model.prepare = lambda image: prepare(image)
        return model

    catalogues.models.add(ModelEntry("unalike", "our candidate", load))
"""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How often each image was opened."""
    counts: Counter[int] = Counter()
    image = SyntheticCxr.image

    def counting(self: SyntheticCxr, index: int) -> Image.Image:
        counts[index] += 1
        return image(self, index)

    monkeypatch.setattr(SyntheticCxr, "image", counting)
    return counts


def ranks_of(folder: Path) -> dict[str, Any]:
    with np.load(folder / "ranks.npz") as file:
        return {name: file[name].tobytes() for name in file.files}


def test_models_that_prepare_alike_share_images(
    run_suite: Run,
    opened: Counter[int],
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = run_suite(f"--robust-models={ALIKE}", *OPTIONS, "--robust-results=shared")
    result.assert_outcomes(passed=4)
    assert set(opened.values()) == {1}
    opened.clear()
    monkeypatch.setattr(SharedPictures, "for_sweep", lambda *_: None)
    run_suite(f"--robust-models={ALIKE}", *OPTIONS, "--robust-results=alone")
    assert set(opened.values()) == {2}
    shared, alone = (pytester.path / name for name in ("shared", "alone"))
    assert ranks_of(shared) == ranks_of(alone)
    datasets = [
        json.loads((folder / "run.json").read_text())["datasets"]
        for folder in (shared, alone)
    ]
    assert datasets[0] == datasets[1]


def test_a_model_with_a_prepare_of_its_own_shares_nothing(
    run_suite: Run, opened: Counter[int], pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(OWN_MODEL)
    result = run_suite(f"--robust-models={UNALIKE}", *OPTIONS)
    result.assert_outcomes(passed=4)
    assert set(opened.values()) == {2}


@pytest.mark.parametrize(("slot", "opens"), [("0/1", 1), ("0/2", 2)])
def test_a_worker_shares_images_only_where_it_likely_measures_two_models(
    run_suite: Run,
    opened: Counter[int],
    monkeypatch: pytest.MonkeyPatch,
    slot: str,
    opens: int,
) -> None:
    """Of two models, another worker would measure the second one."""
    monkeypatch.setenv("RETRIEVAL_ROBUST_SLOT", slot)
    run_suite(f"--robust-models={ALIKE}", *OPTIONS)
    assert set(opened.values()) == {opens}


@pytest.mark.parametrize(("models", "files"), [("tiny-cxr-clip", 0), (ALIKE, 1)])
def test_images_are_kept_while_a_further_model_needs_them(
    run_suite: Run, monkeypatch: pytest.MonkeyPatch, models: str, files: int
) -> None:
    kept: list[KeptPictures] = []
    writing: list[bool] = []
    for_model = KeptPictures.for_model

    def noted(self: KeptPictures, *arguments: Any) -> Any:
        kept.append(self)
        writing.append(self.takes_more)
        return for_model(self, *arguments)

    monkeypatch.setattr(KeptPictures, "for_model", noted)
    run_suite(f"--robust-models={models}", *OPTIONS)
    assert len(set(map(id, kept))) == files
    # The last model takes what is there, and adds nothing.
    assert writing == [True, False][: 2 * files]
    assert all(pictures._is_closed for pictures in kept)
