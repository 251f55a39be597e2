"""What a test report carries arrives as it was sent."""

from __future__ import annotations

from dataclasses import fields

import pytest

from pytest_retrieval_robust.run.carried import TestRecord

from ..reports.records import searched, whole_record

execnet = pytest.importorskip("execnet")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> TestRecord:
    """A record that has something of everything."""
    run = whole_record(tmp_path_factory.mktemp("run"))
    return TestRecord(
        model="ours",
        not_tested="its weights are elsewhere",
        failure="ModelError: no weights",
        gate_objected=True,
        outcomes=run.outcomes,
        cost=run.costs[0],
        breaking=searched("ours"),
        counterfactuals=run.counterfactuals,
        drift=run.drift[0],
        card={"name": "ours", "context": None},
        dataset={"name": "data", "pixel_digest": None},
        truncated_reports=3,
        notes=("a note",),
    )


def test_the_example_has_something_of_everything(full: TestRecord) -> None:
    assert all(getattr(full, field.name) for field in fields(full))


def test_a_record_passes_the_serialiser_of_xdist(full: TestRecord) -> None:
    sent = execnet.dumps(full.as_json())
    assert TestRecord.from_json(execnet.loads(sent)) == full


def test_a_record_of_nothing_passes_too() -> None:
    sent = execnet.dumps(TestRecord(model=None).as_json())
    assert TestRecord.from_json(execnet.loads(sent)) == TestRecord(model=None)
