"""The ledger of attempts: what it counts, and that a change is noticed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.outcomes import ModelRecord
from pytest_retrieval_robust.core.roles import Role
from pytest_retrieval_robust.gate.ledger import (
    START,
    Attempt,
    Ledger,
    LedgerError,
    parse_ledger,
    saved_run_key,
    weights_key,
)

from ..saved_runs import make_run

FIRST = "b" * 64
OTHER = "c" * 64


def attempt(run: str, baseline: str | None = FIRST, **facts: str | None) -> Attempt:
    values = {"weights": "w" * 64, "reference": None, "gates": "g" * 64, **facts}
    return Attempt(
        run,
        "2026-01-02T03:04:05+00:00",
        "0.1.0",
        baseline=baseline,
        judged="2026-01-02T04:04:05+00:00",
        verdict="failed",
        **values,
    )


def ledger_of(*attempts: Attempt) -> Ledger:
    ledger = Ledger()
    for each in attempts:
        ledger = ledger.with_line(ledger.next_line(each))
    return ledger


def text_of(ledger: Ledger) -> str:
    return "".join(line.text for line in ledger.lines)


FIVE = ledger_of(*(attempt(f"run{number}") for number in range(5)))
TEXT = text_of(FIVE)


def test_what_was_written_is_read() -> None:
    assert parse_ledger(TEXT, "attempts.jsonl") == FIVE
    assert parse_ledger("", "attempts.jsonl") == Ledger()
    assert FIVE.lines[0].previous == START


@given(place=st.integers(0, len(TEXT) - 1), written=st.characters(codec="ascii"))
def test_a_changed_character_is_noticed(place: int, written: str) -> None:
    changed = TEXT[:place] + written + TEXT[place + 1 :]
    if changed != TEXT:
        with pytest.raises(LedgerError, match="as they were written"):
            parse_ledger(changed, "attempts.jsonl")


@given(order=st.lists(st.integers(0, 4), max_size=6))
def test_lines_that_were_taken_out_moved_or_repeated_are_noticed(
    order: list[int],
) -> None:
    lines = TEXT.splitlines(keepends=True)
    changed = "".join(lines[number] for number in order)
    if order == list(range(len(order))):
        # Cut off at the end no hash breaks: the last saved run tells.
        assert len(parse_ledger(changed, "x").lines) == len(order)
    else:
        with pytest.raises(LedgerError, match="Restore it from version control"):
            parse_ledger(changed, "x")


def test_a_line_of_its_own_making_is_no_attempt() -> None:
    data = json.loads(FIVE.lines[0].text)
    for change in ({"run": 5}, {"note": "ours"}, {"baseline": ["a"]}):
        with pytest.raises(LedgerError, match="line 1, which is no whole attempt"):
            parse_ledger(json.dumps({**data, **change}) + "\n", "x")


def test_attempts_are_counted_for_each_saved_run() -> None:
    ledger = ledger_of(
        attempt("a"),
        attempt("b", OTHER),
        attempt("c", reference=OTHER),
        attempt("d", None, reference=OTHER),
    )
    assert ledger.numbers("new", {Role.BASELINE: FIRST, Role.REFERENCE: OTHER}) == {
        Role.BASELINE: 3,
        Role.REFERENCE: 3,
    }
    assert ledger.numbers("new", {Role.BASELINE: OTHER}) == {Role.BASELINE: 2}


def test_a_run_that_is_judged_again_keeps_its_number() -> None:
    ledger = ledger_of(attempt("a"), attempt("b"), attempt("c"))
    assert ledger.numbers("b", {Role.BASELINE: FIRST}) == {Role.BASELINE: 2}
    assert ledger.line_of("b", {Role.BASELINE: FIRST}) == ledger.lines[1]
    assert ledger.line_of("b", {Role.BASELINE: OTHER}) is None


def test_weights_are_found_again() -> None:
    ledger = ledger_of(attempt("a"), attempt("b", weights="v" * 64), attempt("c"))
    assert ledger.first_with("v" * 64, Role.BASELINE, FIRST) == 2
    assert ledger.first_with("u" * 64, Role.BASELINE, FIRST) is None
    assert ledger.first_with(None, Role.BASELINE, FIRST) is None


def test_a_saved_run_is_known_by_its_weights_and_data(tmp_path: Path) -> None:
    """Measured again it is the same; other weights or data are another."""
    made = make_run(tmp_path / "a").run.measured
    again = make_run(tmp_path / "b").run.measured
    assert made.identity.id != again.identity.id
    assert saved_run_key(made) == saved_run_key(again)
    other_data = make_run(tmp_path / "c", facts={"fingerprint": "e" * 64}).run.measured
    assert saved_run_key(made) != saved_run_key(other_data)
    trained = replace(
        made,
        models=(ModelRecord("ours", True, None, {"sha256": "9" * 64}, named=True),),
    )
    assert saved_run_key(made) != saved_run_key(trained)


def test_a_model_without_a_hash_is_known_by_its_run(tmp_path: Path) -> None:
    code = (ModelRecord("ours", True, None, {}, named=True),)
    made = replace(make_run(tmp_path / "a").run.measured, models=code)
    again = replace(make_run(tmp_path / "b").run.measured, models=code)
    assert weights_key(made) is None
    assert saved_run_key(made) != saved_run_key(again)
