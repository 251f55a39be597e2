"""Presets do what the packages do that published their severities."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pytest_retrieval_robust.core.errors import CorruptionError
from pytest_retrieval_robust.core.names import parse_call
from pytest_retrieval_robust.corruptions import WHOLE, Corruption

from .generators import ENTRIES, STEPS
from .published import EXACT, NOISE, POINTS, moments, ramp

DRAWS = 4


def corruption(call: str) -> Corruption:
    name, parameters = parse_call(call)
    built: Corruption = ENTRIES[name].build(**parameters)
    return built


def clean(images: int = 1) -> torch.Tensor:
    grey = torch.from_numpy(ramp()).float() / 255
    return grey.expand(images, 3, -1, -1)


@pytest.mark.parametrize(("call", "severity"), NOISE)
def test_noise_has_the_mean_and_the_deviation_of_the_published_code(
    call: str, severity: float
) -> None:
    ids = [f"image-{number}" for number in range(DRAWS)]
    after = corruption(call).corrupt(clean(DRAWS), ids, severity, 0, WHOLE)
    # The published code cuts fractions of a grey value off; ours rounds.
    draws = iter((after[:, 0] * 255).to(torch.uint8).numpy())
    found = moments(lambda: next(draws), DRAWS)
    tolerance = 0.004
    if call.startswith("impulse"):
        # Few pixels are hit, so draws differ by more.
        tolerance = 0.007
    if call.startswith("quantum") and severity < 1:
        # Our counts of photons are scaled, and less of them is cut at white.
        tolerance = 0.012
    assert np.abs(np.array(found) - np.array(NOISE[call, severity])).max() < tolerance


@pytest.mark.parametrize(("call", "severity"), EXACT)
def test_exposure_and_windows_give_the_grey_values_of_the_published_code(
    call: str, severity: float
) -> None:
    after = corruption(call).corrupt(clean(), ["a"], severity, 0, WHOLE)
    found = after[0, 0, 0, POINTS] * 255
    published = torch.tensor(EXACT[call, severity], dtype=torch.float32)
    # The published code cuts fractions off, and its mean of the ramp is 128, not 127.5.
    assert (found - published).abs().max() < 1.2


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_a_preset_that_is_the_default_is_no_part_of_the_name(name: str) -> None:
    entry = ENTRIES[name]
    if "preset" not in entry.parameters:
        return
    default = entry.build()
    preset = default.preset  # type: ignore[attr-defined]
    assert entry.build(preset=preset).name == name
    with pytest.raises(CorruptionError, match="preset='nobody'"):
        entry.build(preset="nobody")


@pytest.mark.parametrize("call", ["electronic-noise", "impulse-noise", "speckle"])
def test_steps_are_exact_and_severities_between_them_are_linear(call: str) -> None:
    noise = corruption(call)
    steps = noise.presets["medmnist-c"].published  # type: ignore[attr-defined]
    assert [noise.parameter(step) for step in STEPS] == list(steps)  # type: ignore[attr-defined]
    between = noise.parameter(0.5)  # type: ignore[attr-defined]
    assert between == pytest.approx((steps[1] + steps[2]) / 2)
    assert noise.parameter(0.1) == pytest.approx(steps[0] / 2)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("contrast(direction=left)", "direction='left'"),
        ("contrast(direction=up,preset=imagenet-c)", "preset of raised contrast"),
        ("window-shift(direction=up)", "direction='up'"),
        ("quantum-noise(preset=medmnistc)", "medmnist-c"),
    ],
)
def test_a_parameter_that_is_none_is_an_error_that_says_what_is(
    call: str, said: str
) -> None:
    with pytest.raises(CorruptionError, match=said):
        corruption(call)


def test_a_window_has_a_low_end_below_its_high_end() -> None:
    with pytest.raises(CorruptionError, match=r"low=0\.5, high=0\.5"):
        ENTRIES["wrong-window"].build(low=0.5, high=0.5)
