"""Values as plain data, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust.core.cases import Case, Plan
from pytest_retrieval_robust.core.codec import Written, from_plain, to_plain
from pytest_retrieval_robust.core.costs import CostMeasurement
from pytest_retrieval_robust.core.outcomes import Outcome, Scores, Timing
from pytest_retrieval_robust.core.sample_sheets import Sample, SampleSheet
from pytest_retrieval_robust.core.searches import BreakingOutcome, HeatMap

KINDS = (
    Case,
    Plan,
    Scores,
    Timing,
    Outcome,
    CostMeasurement,
    HeatMap,
    BreakingOutcome,
    Sample,
    SampleSheet,
)


@dataclass(frozen=True)
class Inner:
    numbers: tuple[float, ...]


@dataclass(frozen=True)
class Value(Written):
    by_k: Mapping[int, tuple[float, float]]
    inner: Inner
    picture: bytes = b""
    optional: int | None = None
    names: Mapping[str, Inner] = field(default_factory=dict)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INNERS = st.builds(Inner, st.lists(FLOATS).map(tuple))
VALUES = st.builds(
    Value,
    by_k=st.dictionaries(st.integers(1, 99), st.tuples(FLOATS, FLOATS)),
    inner=INNERS,
    picture=st.binary(),
    optional=st.none() | st.integers(0, 9),
    names=st.dictionaries(st.text("abc"), INNERS),
)


@given(VALUES)
def test_a_value_comes_back_from_json_text(value: Value) -> None:
    assert Value.from_json(json.loads(json.dumps(value.as_json()))) == value


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20)
@given(data=st.data())
def test_every_written_class_comes_back(kind: type, data: st.DataObject) -> None:
    # By its text and not by ==, because NaN is not equal to itself.
    text = json.dumps(to_plain(data.draw(st.from_type(kind))))
    assert json.dumps(to_plain(from_plain(kind, json.loads(text)))) == text


def test_keys_that_are_numbers_are_written_as_text() -> None:
    assert Value({10: (0.5, 1.0)}, Inner(())).as_json()["by_k"] == {"10": (0.5, 1.0)}


def test_missing_fields_take_their_defaults_and_unknown_ones_are_ignored() -> None:
    read = Value.from_json({"by_k": {}, "inner": {"numbers": []}, "unknown": 1})
    assert read == Value({}, Inner(()))


def test_a_field_of_another_type_is_refused_by_its_place() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.inner\.numbers"):
        Value.from_json({"by_k": {}, "inner": {"numbers": ["x"]}})


def test_floats_of_numpy_are_written_as_floats() -> None:
    plain = to_plain({"x": np.float64(0.1)})
    assert type(plain["x"]) is float
    assert plain == {"x": 0.1}


@pytest.mark.parametrize("value", [np.int64(1), np.zeros(2), object()])
def test_what_is_no_plain_data_is_refused(value: object) -> None:
    with pytest.raises(NotImplementedError, match=type(value).__name__):
        to_plain(value)
