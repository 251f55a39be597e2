"""What was measured, as the planner reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.catalogue import Catalogue
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.measure.planning import constants
from pytest_retrieval_robust.measure.planning.constants import (
    ARCHITECTURES,
    measured_constants,
)
from pytest_retrieval_robust.measure.planning.rates import rate_of
from pytest_retrieval_robust.models import ModelEntry


def test_the_fit_is_within_a_tenth_of_each_measured_rank() -> None:
    file = Path(constants.__file__).with_name("constants.json")
    rows = json.loads(file.read_text(encoding="utf-8"))["ranks"]
    cost = measured_constants().ranks
    # On two threads it is a core's time too, with what they cost.
    for row in (row for row in rows if row["threads"] == 1):
        fitted = cost.seconds(row["images"], row["reports"], row["width"])
        assert fitted == pytest.approx(row["seconds"], rel=0.1)


def test_the_models_and_networks_that_are_named_exist() -> None:
    models = Catalogue[ModelEntry]("model", "models")
    measured = {encoder.architecture for encoder in measured_constants().encoders}
    assert set(ARCHITECTURES) <= set(models.names())
    assert set(ARCHITECTURES.values()) <= measured


def test_no_speed_is_invented_for_a_device() -> None:
    def known(model: str, device: str, typed: float | None = None) -> bool:
        rate = rate_of(model, device, 2, typed, {}, measured_constants())
        return rate is not None

    assert known("biomedclip", "cpu")
    assert not known("biomedclip", "cuda:0")
    assert not known("of-ours", "cpu")
    assert known("of-ours", "cuda:0", typed=5.0)


def test_an_unknown_kind_of_files_is_refused() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'jpg512x512'"):
        measured_constants().file_of("jpg512x51")
