"""What `run.json` leaves out because it is usual: readers take it to be so where it is
missing, as it is in the files of earlier versions.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...core.cases import DIRECTIONS
from ...core.codec import Json


def leave_out_the_usual(data: Json) -> None:
    """Take out of a document what readers take to be so where it is missing."""
    for outcome in data["outcomes"]:
        _leave_out_missing_answers(outcome)
        _leave_out_empty_metrics(outcome)
        _leave_out_processors(outcome)
        # Of occlusions, and of what was read from a run of an earlier version.
        if outcome.get("altered") is None:
            outcome.pop("altered", None)
    for part in _with_family(data):
        if part.get("family") == "occlusion":
            del part["family"]
    _leave_out_empty_plans(data["run"]["plan"])
    for edited in data["counterfactuals"]:
        _leave_out_single_patients(edited)
    if not data["counterfactuals"]:
        del data["counterfactuals"]


def _leave_out_empty_metrics(outcome: Json) -> None:
    """Of a run that was asked for no metric."""
    for direction in DIRECTIONS:
        if not outcome[direction]["metrics"]:
            del outcome[direction]["metrics"]


def _leave_out_missing_answers(outcome: Json) -> None:
    """Of what was read from a run of an earlier version."""
    for direction in DIRECTIONS:
        if outcome[direction].get("answers") is None:
            outcome[direction].pop("answers", None)


def _leave_out_processors(outcome: Json) -> None:
    """Of a run on a processor."""
    for field in ("hardware", "encoded_on"):
        if not outcome["timing"].get(field):
            outcome["timing"].pop(field, None)


def _leave_out_single_patients(edited: Json) -> None:
    """Of edited reports of patients who do not repeat."""
    shares = [edited["with_distractors"], edited["overall"], *edited["kinds"]]
    for share in shares:
        if share is not None and share.get("patients") is None:
            for field in ("patients", "degrees_of_freedom"):
                share.pop(field, None)


def _with_family(data: Json) -> Iterator[Json]:
    """Every part that says which family it is about."""
    yield from data["curves"]
    yield from data["layouts"]
    for part in (
        data["outcomes"],
        data["costs"],
        data["verdicts"],
        data["counterfactuals"],
        data.get("changed", ()),
    ):
        for each in part:
            yield each["case"]
    for cell in (data["baseline"] or {}).get("cells", ()):
        yield cell["case"]


def _leave_out_empty_plans(plan: Json) -> None:
    """Of a run of occlusions alone: severities are those of other families."""
    # What was read from such a file may lack them already.
    if not plan.get("corruptions") and not plan.get("text_noise"):
        for field in ("corruptions", "text_noise", "severities"):
            plan.pop(field, None)
