"""`evaluate_counterfactuals` and where it takes edits from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust import (
    ArgumentError,
    Counterfactuals,
    DatasetError,
    EditedReports,
    NotMeasuredError,
    ReportEdit,
    dataset_from_lists,
    evaluate_counterfactuals,
    load_corruption,
    load_text_noise,
)
from pytest_retrieval_robust.measure.counterfactual.sources import edits_of
from tests.measure.sweep.test_sweep import PATCHES, Records

from .toy import reader, records

pytestmark = pytest.mark.usefixtures("one_thread")


def test_outcomes_come_cell_by_cell_the_clean_one_first() -> None:
    dataset = records()
    found = evaluate_counterfactuals(
        reader(dataset), dataset, PATCHES, levels=(0, 0.2, 0.6), ks=(1, 5)
    )
    assert [outcome.case.level for outcome in found] == [0.0, 0.2, 0.6]
    assert found.clean is found[0]
    assert found.at("patches", 0.6) == found[2]
    assert found.clean.win_share("negation").kind == "negation"
    assert found.clean.win_share().share > found[2].win_share().share
    assert found.clean.recall(5) >= found.clean.recall(1)
    assert found.clean.without_edit == 1
    for question in (
        lambda: found.clean.win_share("negatoin"),
        lambda: found.clean.recall(10),
        lambda: found.at("patches", 0.4),
    ):
        with pytest.raises(NotMeasuredError):
            question()


def test_a_corruption_changes_the_images_too() -> None:
    dataset = records()
    found = evaluate_counterfactuals(
        reader(dataset), dataset, load_corruption("contrast"), levels=(1,), ks=(1,)
    )
    assert [outcome.case.family for outcome in found] == ["occlusion", "corruption"]
    assert found.at("contrast", 1, family="corruption") is found[1]


def test_text_noise_is_refused() -> None:
    dataset = records()
    with pytest.raises(ArgumentError, match="Edits are those of reports without noise"):
        evaluate_counterfactuals(reader(dataset), dataset, load_text_noise("case"))


def test_edits_may_be_given() -> None:
    dataset = records()
    edited = EditedReports((ReportEdit(2, "ours", "swapped", "report 2, x"),), 23, "us")
    found = evaluate_counterfactuals(reader(dataset), dataset, edits=edited, ks=(1,))
    assert found.clean.source == "us"
    assert [share.kind for share in found.clean.kinds] == ["ours"]


@pytest.mark.parametrize("edits", [3, ["rules"], {"a": 1}])
def test_what_is_no_source_of_edits_is_refused(edits: Any) -> None:
    dataset = records()
    with pytest.raises(ArgumentError, match="Leave them out"):
        evaluate_counterfactuals(reader(dataset), dataset, edits=edits)


def test_data_without_edits_is_an_error_that_says_how_to_give_some() -> None:
    dataset = Records.of("report 0", "report 1")
    with pytest.raises(DatasetError, match='counterfactuals = "rules"'):
        edits_of(dataset)


@pytest.mark.parametrize(
    "made",
    [
        None,
        [],
        EditedReports((ReportEdit(0, "side", "swapped", " "),), 23, "exact"),
        EditedReports((ReportEdit(0, "", "swapped", "a secret"),), 23, "exact"),
        EditedReports((ReportEdit(0, "all", "swapped", "a secret"),), 23, "exact"),
        EditedReports(("a secret",), 23, "exact"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_edit_is_an_error_without_its_text(made: Any) -> None:
    class Wrong(Records):
        def edited_reports(self) -> Any:
            return made

    with pytest.raises(DatasetError) as caught:
        edits_of(Wrong.of("report 0"))
    assert "secret" not in str(caught.value)


def test_the_kind_all_is_that_of_no_edit() -> None:
    dataset = records()
    edited = EditedReports((ReportEdit(2, "All", "swapped", "a secret"),), 23, "us")
    with pytest.raises(DatasetError, match="kind='all' at edit=0") as caught:
        edits_of(dataset, edited)
    assert "secret" not in str(caught.value)


def test_an_error_of_a_users_method_becomes_ours_without_its_text() -> None:
    class Wrong(Records):
        def edited_reports(self) -> EditedReports:
            raise ValueError("a secret")

    with pytest.raises(DatasetError, match="Fix that method") as caught:
        edits_of(Wrong.of("report 0"))
    assert "secret" not in str(caught.value)


def _free_texts() -> Any:
    from PIL import Image

    texts = [
        "There is a small left pleural effusion.",
        "No pneumothorax. The heart is normal.",
    ]
    images = [Image.new("L", (16, 16), 40 * number) for number in range(2)]
    return dataset_from_lists("free", images, texts)


def test_rules_and_tables_are_sources_by_name(tmp_path: Path) -> None:
    dataset = _free_texts()
    by_rules = edits_of(dataset, "rules")
    assert by_rules.source == "rules"
    assert {edit.kind for edit in by_rules.edits} >= {"negation", "side"}
    table = tmp_path / "edits.csv"
    edit = by_rules.edits[0]
    table.write_text(
        f'original,edited,kind\n"{dataset.reports[edit.report]}","{edit.text}",ours\n'
    )
    by_table = edits_of(dataset, table)
    assert by_table.source == "table"
    assert [(each.kind, each.text) for each in by_table.edits] == [("ours", edit.text)]


def test_a_data_set_of_files_names_its_source() -> None:
    dataset = _free_texts()
    named = replace(dataset, choice=replace(dataset.choice, counterfactuals="rules"))
    assert edits_of(named).source == "rules"
    assert named.fingerprint == dataset.fingerprint
    assert len(named.report_ids) == len(named.reports)


def test_no_outcomes_are_no_counterfactuals() -> None:
    with pytest.raises(ArgumentError):
        Counterfactuals(())
