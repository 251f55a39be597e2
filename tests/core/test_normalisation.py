"""Grey levels become the same numbers on every device."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.normalisation import on_unit_scale
from pytest_retrieval_robust.models.normalised import can_encode_normalised

from ..emulated_device import emulated

LEVELS = np.arange(256, dtype=np.uint8)
EXACT = LEVELS.astype(np.float32) / np.float32(255)


def test_levels_are_divided_on_the_processor() -> None:
    levels = on_unit_scale(torch.from_numpy(LEVELS))
    assert levels.numpy().tobytes() == EXACT.tobytes()


def test_levels_are_divided_on_a_device_that_multiplies_by_reciprocals() -> None:
    with emulated("cuda:0"):
        on_device = torch.from_numpy(LEVELS).to("cuda:0")
        # As the device divides by a number of the host: another bit, for half of them.
        by_host = (on_device.float() / 255).cpu()
        levels = on_unit_scale(on_device).cpu()
    assert (by_host.numpy() != EXACT).sum() > 100
    assert levels.numpy().tobytes() == EXACT.tobytes()


@pytest.mark.parametrize("name", ["tiny-cxr-clip", "tiny-cxr-openclip"])
def test_a_models_normalisation_is_one_object(name: str) -> None:
    """By it fills are kept for all levels."""
    model = load_model(name, device="cpu")
    assert can_encode_normalised(model)
    assert model.normalisation is model.normalisation
