"""The interval of a win share covers what it should, and no more than it has to."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_retrieval_robust.measure.counterfactual.win_shares import effective_images
from pytest_retrieval_robust.retrieval.bootstrap import Clusters
from pytest_retrieval_robust.retrieval.intervals import proportion


def _alone(count: int) -> Clusters:
    return Clusters.of(np.arange(count))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_where_nothing_varies_an_image_is_worth_one(share: float) -> None:
    assert effective_images(np.full(50, share), _alone(50)) == pytest.approx(50)


def test_hits_and_misses_are_worth_one_each() -> None:
    hits = np.repeat([0.0, 1.0], [30, 70])
    assert effective_images(hits, _alone(100)) == pytest.approx(100)


def test_a_patient_with_equal_images_is_worth_one() -> None:
    hits = np.repeat(np.tile([0.0, 1.0], 25), 4)
    patients = Clusters.of(np.repeat(np.arange(50), 4))
    assert effective_images(hits, patients) == pytest.approx(50, rel=0.03)


def _sample(
    rng: np.random.Generator, share: float, patients: int
) -> tuple[NDArray[np.float64], Clusters]:
    """Patients with one to three images of three comparisons, whose chances are their own."""
    strength = 6.0
    chances = rng.beta(share * strength, (1 - share) * strength, size=patients)
    images = rng.integers(1, 4, size=patients)
    owners = np.repeat(np.arange(patients), images)
    return rng.binomial(3, chances[owners]) / 3, Clusters.of(owners)


@pytest.mark.parametrize(("share", "patients"), [(0.6, 60), (0.9, 60), (0.75, 400)])
def test_intervals_cover_the_true_share(share: float, patients: int) -> None:
    rng = np.random.default_rng(1)
    covered = 0
    narrower = 0
    for _ in range(600):
        values, owners = _sample(rng, share, patients)
        effective = effective_images(values, owners)
        estimate = proportion(
            float(values.mean()), len(values), 0.975, len(values) / effective
        )
        covered += estimate.low <= share <= estimate.high
        narrower += effective > owners.count
    assert covered / 600 >= 0.93
    # Three comparisons tell more than one: patients are worth more than one hit each.
    assert narrower / 600 > 0.9
