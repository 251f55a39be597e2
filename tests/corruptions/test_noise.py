"""What noise is made of: numbers of places in the source, with the laws that they claim."""

from __future__ import annotations

import pickle
from typing import Any, cast

import numpy as np
import pytest
import torch
from scipy import stats

from pytest_retrieval_robust.core.errors import CorruptionError
from pytest_retrieval_robust.corruptions import WHOLE, _noise
from pytest_retrieval_robust.corruptions._noise import normal_deviates, uniform_words
from pytest_retrieval_robust.corruptions.electronic_noise import ElectronicNoise
from pytest_retrieval_robust.corruptions.impulse_noise import ImpulseNoise
from pytest_retrieval_robust.corruptions.quantum_noise import QuantumNoise
from pytest_retrieval_robust.corruptions.region import Region, regions_of
from pytest_retrieval_robust.occluders.hashing import narrow_words

from .generators import CORRUPTIONS, IDS, pictures

NO_SCENE = cast(Any, None)
NOISES = ("electronic-noise", "impulse-noise", "quantum-noise", "speckle")


def region(side: int = 128, seed: int = 0, ids: list[str] = IDS[:2]) -> Region:
    batch = torch.zeros(len(ids), 3, side, side)
    ((_, found),) = regions_of(batch, ids, seed, WHOLE)
    return found


def test_deviates_are_normal_and_those_of_neighbours_ids_and_seeds_independent() -> (
    None
):
    drawn = normal_deviates(region(), "test").numpy()[:, 0]
    assert abs(drawn.mean()) < 0.02
    assert abs(drawn.std() - 1) < 0.02
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 0.01
    other_seed = normal_deviates(region(seed=1), "test").numpy()[:, 0]
    other_purpose = normal_deviates(region(), "other").numpy()[:, 0]
    pairs = [
        (drawn[0], drawn[1]),
        (drawn, other_seed),
        (drawn, other_purpose),
        (drawn[:, 1:], drawn[:, :-1]),
        (drawn[:, :, 1:], drawn[:, :, :-1]),
    ]
    for one, other in pairs:
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.03


def test_the_table_of_quantiles_has_mean_0_and_variance_1() -> None:
    table = _noise._normal_quantiles().astype(np.float64)
    expected = stats.norm.ppf((np.arange(65536) + 0.5) / 65536)
    assert table.mean() == 0
    assert (table**2).mean() == pytest.approx(1, abs=1e-6)
    assert np.abs(table - expected).max() < 1e-3


def test_words_are_uniform() -> None:
    drawn = uniform_words(region(), "test").numpy().astype(np.float64)
    assert stats.kstest((drawn + 2**31).ravel() / 2**32, "uniform").pvalue > 0.01


@pytest.mark.parametrize("name", NOISES)
def test_one_place_of_the_source_has_one_noise_whatever_is_around_it(name: str) -> None:
    corruption = CORRUPTIONS[name]
    pixels = pictures(images=1, side=16)
    alone = corruption.corrupt(pixels, ["a"], 0.6, 0, WHOLE)
    # The same pixels in the upper left quarter of a square that is padded.
    padded = torch.zeros(1, 3, 32, 32)
    padded[:, :, :16, :16] = pixels
    quarter = corruption.corrupt(padded, ["a"], 0.6, 0, (0, 0, 0.5, 0.5))
    assert torch.equal(quarter[:, :, :16, :16], alone)
    # And those that a crop to the middle half leaves.
    middle = corruption.corrupt(
        pixels[:, :, 4:12, 4:12], ["a"], 0.6, 0, (-0.5, -0.5, 1.5, 1.5)
    )
    assert torch.equal(middle, alone[:, :, 4:12, 4:12])


@pytest.mark.parametrize("name", NOISES)
def test_all_channels_have_the_same_noise(name: str) -> None:
    grey = pictures()[:, :1].expand(-1, 3, -1, -1)
    after = CORRUPTIONS[name].corrupt(grey, IDS, 0.6, 0, WHOLE)
    assert torch.equal(after, after[:, :1].expand_as(after))


@pytest.mark.parametrize("name", NOISES)
def test_seeds_and_ids_have_their_own_noise(name: str) -> None:
    corruption = CORRUPTIONS[name]
    pixels = pictures(images=1).expand(2, -1, -1, -1)
    one, other = corruption.corrupt(pixels, ["a", "b"], 1, 0, WHOLE)
    again, _ = corruption.corrupt(pixels, ["a", "b"], 1, 1, WHOLE)
    assert not torch.equal(one, other)
    assert not torch.equal(one, again)
    same, twice = corruption.corrupt(pixels, ["a", "a"], 1, 0, WHOLE)
    assert torch.equal(same, twice)


def test_impulses_of_a_severity_are_among_those_of_a_higher_one() -> None:
    grey = torch.full((2, 3, 128, 128), 0.5)
    before = torch.zeros(2, 128, 128, dtype=torch.bool)
    noise = ImpulseNoise()
    for severity in (0.1, 0.2, 0.6, 0.61, 1):
        after = noise.corrupt(grey, IDS[:2], severity, 0, WHOLE)[:, 0]
        is_hit = after != 0.5
        assert (is_hit | ~before).all()
        share = float(is_hit.float().mean())
        assert share == pytest.approx(noise.parameter(severity), abs=0.005)
        assert float(after[is_hit].mean()) == pytest.approx(0.5, abs=0.1)
        before = is_hit


@pytest.mark.parametrize("preset", ["medmnist-c", "robustmedclip", "imagenet-c"])
@pytest.mark.parametrize("grey", [0.0, 0.013, 0.1, 0.3])
@pytest.mark.parametrize("severity", [0.2, 0.6, 1])
def test_quantum_noise_has_the_mean_and_variance_of_poissons_law(
    preset: str, grey: float, severity: float
) -> None:
    noise = QuantumNoise(preset)
    photons = noise.parameter(severity) ** -2
    pixels = torch.full((4, 3, 128, 128), grey)
    ids = [f"image-{number}" for number in range(4)]
    after = noise.corrupt(pixels, ids, severity, 0, WHOLE)[:, 0].double()
    poisson = np.random.default_rng(0).poisson(grey * photons, 65536) / photons
    # Both are cut at white.
    expected = np.minimum(poisson, 1)
    assert float(after.mean()) == pytest.approx(expected.mean(), abs=0.005)
    assert float(after.var()) == pytest.approx(expected.var(), rel=0.12, abs=1e-9)
    if severity < 1:
        # Then hardly anything is cut.
        variance = grey / photons
        assert float(after.var()) == pytest.approx(variance, rel=0.06, abs=1e-9)


@pytest.mark.parametrize("photons", [3, 5, 80])
def test_the_strongest_quantum_noise_has_poissons_law(photons: int) -> None:
    preset = {3: "imagenet-c", 5: "medmnist-c", 80: "robustmedclip"}[photons]
    grey = 0.4
    pixels = torch.full((4, 3, 128, 128), grey)
    after = QuantumNoise(preset).corrupt(pixels, ["a", "b", "c", "d"], 1, 0, WHOLE)
    counts = after[:, 0].double().numpy().ravel() * photons
    assert np.abs(counts - counts.round()).max() < 1e-4
    found = np.bincount(counts.round().astype(int), minlength=photons + 1) / len(counts)
    expected = stats.poisson.pmf(np.arange(photons + 1), grey * photons)
    expected[-1] += stats.poisson.sf(photons, grey * photons)
    assert np.abs(found - expected).sum() < 0.02


def test_grey_values_between_those_of_bytes_keep_their_mean() -> None:
    pixels = torch.full((4, 3, 128, 128), 10.5 / 255)
    after = QuantumNoise("robustmedclip").corrupt(
        pixels, ["a", "b", "c", "d"], 1, 0, WHOLE
    )
    assert float(after.double().mean()) * 255 == pytest.approx(10.5, abs=0.1)


def test_severities_of_a_bound_batch_draw_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    draw = narrow_words

    def counted(ids: Any, seed: int, purpose: str, mixed: torch.Tensor) -> torch.Tensor:
        asked.append(seed)
        return draw(ids, seed, purpose, mixed)

    monkeypatch.setattr(_noise, "narrow_words", counted)
    pixels = pictures()
    for name in NOISES:
        bound = CORRUPTIONS[name].bind(NO_SCENE)
        for severity in (0.2, 0.6, 1):
            bound.corrupt(pixels, IDS, severity, 0, WHOLE)
        assert len(asked) == 1
        bound.corrupt(pixels, IDS, 1, 1, WHOLE)
        bound.corrupt(pixels[:2], IDS[:2], 1, 1, WHOLE)
        assert asked == [0, 1, 1]
        asked.clear()


def test_what_a_batch_keeps_is_bounded_and_stays_behind_when_it_is_sent() -> None:
    bound = ElectronicNoise().bind(NO_SCENE)
    assert bound == ElectronicNoise()
    assert bound.memory is not None
    assert bound.memory._limit <= 1 << 27
    sent = pickle.loads(pickle.dumps(bound))
    assert sent.memory is None
    assert sent.name == bound.name == "electronic-noise"


def test_an_empty_name_of_a_preset_is_an_error() -> None:
    with pytest.raises(CorruptionError, match="preset=''"):
        ElectronicNoise("")
