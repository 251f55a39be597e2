"""Runs that are counted as attempts against a baseline, in the file of a ledger."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.outcomes import ModelRecord
from pytest_retrieval_robust.core.roles import Role
from pytest_retrieval_robust.gate.attempts import AttemptNumbers, AttemptRecord
from pytest_retrieval_robust.gate.comparison import Run
from pytest_retrieval_robust.gate.ledger import Ledger, LedgerError
from pytest_retrieval_robust.gate.measurements import Identity, Scope
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.reports.markdown.report import render_markdown
from pytest_retrieval_robust.reports.saved_run import save_run
from pytest_retrieval_robust.reports.terminal.summary import summary_lines
from pytest_retrieval_robust.run.attempting import Attempting
from pytest_retrieval_robust.run.ledger_file import LedgerFile

from ..saved_runs import Made, make_run

GATE = "[[gate]]\nnot_worse_than_baseline = { k = 10, margin = 0.05 }\n"
SPEND = f'{GATE}attempts = "spend"\n'


@dataclass(frozen=True)
class Project:
    """A folder with a baseline, and a ledger beside the results."""

    folder: Path
    baseline: Made

    @property
    def ledger(self) -> LedgerFile:
        return LedgerFile(self.folder / "attempts.jsonl", self.folder / "results")

    def judged(
        self, candidate: Made, text: str = GATE, ledger: LedgerFile | None = None
    ) -> RunRecord:
        config = self.folder / "robust.toml"
        config.write_text(text)
        policy = read_policy(read_config_file(config))
        against: Mapping[Role, Against] = {
            Role.BASELINE: Against(self.baseline.run),
            Role.REFERENCE: Against(),
        }

        def judge(attempts: AttemptNumbers | None) -> RunRecord:
            return judge_run(
                candidate.run, policy, against[Role.BASELINE], attempts=attempts
            )

        attempting = Attempting(
            candidate.run.measured, policy, against, ledger or self.ledger
        )
        return attempting.judged(judge)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, make_run(tmp_path / "theirs"))


def rerun(made: Made, **changes: object) -> Made:
    """The same numbers as another run."""
    return made.measured(identity=Identity.new(), **changes)


def trained(made: Made, sha256: str) -> Made:
    """The same numbers from other weights."""
    model = ModelRecord("ours", True, None, {"sha256": sha256}, named=True)
    return rerun(made, models=(model,))


def attempt_of(record: RunRecord) -> AttemptRecord:
    assert record.attempt is not None
    return record.attempt


def numbers(record: RunRecord) -> list[int]:
    return [each.number for each in attempt_of(record).tried]


def test_each_full_run_is_an_attempt_and_says_which(project: Project) -> None:
    made = make_run(project.folder / "mine")
    records = [project.judged(trained(made, 64 * digit)) for digit in "1234"]
    assert [numbers(record) for record in records] == [[1], [2], [3], [4]]
    lines = project.ledger.read().lines
    assert [line.attempt.verdict for line in lines] == ["passed"] * 4
    assert [line.attempt.run for line in lines] == [
        record.identity.id for record in records
    ]
    text = "\n".join(
        "".join(s.text for s in line) for line in summary_lines(records[3])
    )
    assert "attempts: Attempt 4 against this baseline." in text
    assert "up to 18.5 %" in " ".join(text.split())
    assert "Attempt 4 against this baseline" in render_markdown(records[3])


def test_a_rerun_of_the_same_weights_counts_and_is_said_to_be_one(
    project: Project,
) -> None:
    made = make_run(project.folder / "mine")
    project.judged(trained(made, 64 * "1"))
    project.judged(trained(made, 64 * "2"))
    record = project.judged(trained(made, 64 * "1"))
    [title, _] = attempt_of(record).sentences
    assert title == (
        "Attempt 3 against this baseline, with the same weights as attempt 1: it counts"
        " all the same"
    )


def test_a_run_that_is_judged_again_is_no_new_attempt(project: Project) -> None:
    made = make_run(project.folder / "mine")
    project.judged(made)
    project.judged(rerun(made))
    again = project.judged(made, SPEND)
    assert numbers(again) == [1]
    assert not attempt_of(again).is_new
    assert "judged again: that is no new attempt" in next(attempt_of(again).sentences)
    assert len(project.ledger.read().lines) == 2


def test_an_error_that_is_spent_is_that_of_the_attempt(project: Project) -> None:
    made = make_run(project.folder / "mine")
    sentences = []
    for _ in range(2):
        [verdict] = [
            verdict
            for verdict in project.judged(rerun(made), SPEND).verdicts
            if verdict.gate.kind.is_paired
        ]
        sentences.append(verdict.sentence)
    assert (
        "This is attempt 1: the bound that passes has an error of 3.04 %"
        in sentences[0]
    )
    assert (
        "This is attempt 2: the bound that passes has an error of 0.76 %"
        in sentences[1]
    )


def test_a_new_ledger_is_said_to_be_one_where_the_error_is_spent(
    project: Project,
) -> None:
    made = make_run(project.folder / "mine")
    first, second = (project.judged(rerun(made), SPEND) for _ in range(2))
    notes = [
        [note for note in record.warnings if "A new ledger of attempts" in note]
        for record in (first, second)
    ]
    assert [len(each) for each in notes] == [1, 0]
    assert "attempts.jsonl" in notes[0][0]
    assert str(project.folder) not in notes[0][0]


@pytest.mark.parametrize(
    "narrowed", [{"scope": Scope("-k", "pytest")}, {"limit": 50}], ids=["part", "smoke"]
)
def test_a_part_is_no_attempt(project: Project, narrowed: dict[str, object]) -> None:
    made = make_run(project.folder / "mine")
    record = project.judged(rerun(made, **narrowed))
    assert record.attempt is None
    assert not project.ledger.is_there


def test_a_part_is_judged_as_the_attempt_that_it_would_be(project: Project) -> None:
    made = make_run(project.folder / "mine")
    project.judged(made, SPEND)
    part = project.judged(rerun(made, scope=Scope("-k", "pytest")), SPEND)
    assert any("This is attempt 2" in verdict.sentence for verdict in part.verdicts)
    assert len(project.ledger.read().lines) == 1


def test_what_is_not_compared_is_no_attempt(project: Project) -> None:
    other = make_run(project.folder / "mine", facts={"fingerprint": "e" * 64})
    record = project.judged(other)
    assert record.failures
    assert record.attempt is None
    without_gates = project.judged(rerun(other), "[[gate]]\nrecall = { 10 = 0.1 }\n")
    assert without_gates.attempt is None
    assert project.ledger.read() == Ledger()


def test_a_changed_ledger_fails_the_run_and_says_what_to_do(project: Project) -> None:
    made = make_run(project.folder / "mine")
    project.judged(made)
    path = project.ledger.path
    path.write_text(path.read_text().replace('"passed"', '"failed"'))
    before = path.read_bytes()
    record = project.judged(rerun(made))
    assert record.failures == ("its attempts could not be counted",)
    assert any(
        "got line 1, whose hash does not fit it" in note and "Restore it" in note
        for note in record.warnings
    )
    # What was measured is judged and shown all the same.
    assert any(verdict.verdict == "pass" for verdict in record.verdicts)
    assert path.read_bytes() == before


@pytest.mark.parametrize("left", [0, 1])
def test_lines_cut_off_at_the_end_are_missed_by_the_last_saved_run(
    project: Project, left: int
) -> None:
    made = make_run(project.folder / "mine")
    project.judged(rerun(made))
    record = project.judged(made)
    save_run(record, made.store, project.folder / "results")
    path = project.ledger.path
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:left]))
    with pytest.raises(LedgerError, match="the attempt that results/run.json holds"):
        project.ledger.read()
    assert project.judged(rerun(made)).failures == (
        "its attempts could not be counted",
    )


def test_another_ledger_is_not_held_against_the_last_saved_run(
    project: Project,
) -> None:
    made = make_run(project.folder / "mine")
    save_run(project.judged(made), made.store, project.folder / "results")
    project.ledger.path.rename(project.folder / "old.jsonl")
    assert numbers(project.judged(rerun(made))) == [1]


def test_a_place_that_cannot_be_written_to_is_noted_or_fails(project: Project) -> None:
    """A note where attempts are counted alone; a failure where an error depends on it."""
    (project.folder / "file").write_text("")
    nowhere = LedgerFile(project.folder / "file" / "attempts.jsonl")
    made = make_run(project.folder / "mine")
    counted = project.judged(made, ledger=nowhere)
    assert counted.failures == ()
    assert any(
        "Name another file with --robust-attempts" in n for n in counted.warnings
    )
    spent = project.judged(rerun(made), SPEND, nowhere)
    assert "its attempts could not be counted" in spent.failures


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without FIFOs")
def test_a_fifo_in_place_of_the_ledger_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "attempts.jsonl")
    with pytest.raises(LedgerError, match="a FIFO where a file is expected"):
        LedgerFile(tmp_path / "attempts.jsonl").read()


def test_the_ledger_names_nothing(project: Project) -> None:
    project.judged(make_run(project.folder / "mine"))
    text = project.ledger.path.read_text()
    for name in ("ours", '"d"', "patches", project.folder.name):
        assert name not in text


def _count(project: Project, run: Run, text: str, times: int) -> None:
    made = Made(run, project.baseline.store)
    for _ in range(times):
        project.judged(rerun(made), text)


@pytest.mark.skipif(os.name != "posix", reason="a system without locks of files")
def test_runs_that_end_together_are_attempts_of_their_own(project: Project) -> None:
    made = make_run(project.folder / "mine")
    context = multiprocessing.get_context("fork")
    work = partial(_count, project, made.run, GATE, 4)
    processes = [context.Process(target=work) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    runs = [line.attempt.run for line in project.ledger.read().lines]
    assert len(runs) == len(set(runs)) == 12


def test_a_baseline_that_is_measured_again_is_the_same(project: Project) -> None:
    made = make_run(project.folder / "mine")
    project.judged(made)
    later = replace(project, baseline=make_run(project.folder / "again"))
    assert numbers(later.judged(rerun(made))) == [2]
