"""Win shares and recall among distractors against naive loops in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pytest_retrieval_robust.core.cases import CLEAN, Cell
from pytest_retrieval_robust.core.counterfactuals import EditedReports, ReportEdit
from pytest_retrieval_robust.core.errors import DatasetError
from pytest_retrieval_robust.measure.counterfactual.numbers import CounterfactualNumbers
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.results import Measured
from pytest_retrieval_robust.measure.sweep.run import SweepOptions, run_sweep
from pytest_retrieval_robust.models import DualEncoder
from tests.measure.sweep.test_sweep import PATCHES, Records

from .toy import EditedRecords, Reader, reader, records

KS = (1, 3, 5)
pytestmark = pytest.mark.usefixtures("one_thread")


def _measured(
    model: DualEncoder,
    dataset: EditedRecords,
    cell: Cell = CLEAN,
    edited: EditedReports | None = None,
) -> CounterfactualNumbers:
    cells = [] if cell == CLEAN else [(cell, PATCHES)]
    options = SweepOptions(edits=edited or dataset.edited_reports())
    result = run_sweep(model, pairs_of(dataset), cells, KS, options)
    measured = result.cells[cell]
    assert isinstance(measured, Measured)
    assert measured.counterfactual is not None
    return measured.counterfactual


def _rows(model: Reader, texts: list[str]) -> NDArray[np.float64]:
    return model.encode_reports(texts).double().numpy()


def _image_rows(model: Reader, dataset: EditedRecords) -> NDArray[np.float64]:
    pixels = [
        model.prepare(dataset.image(index)).pixels
        for index in range(len(dataset.texts))
    ]
    batch = torch.from_numpy(np.stack(pixels)) / 255
    return model.encode_images(batch).double().numpy()


def test_win_shares_are_those_of_a_naive_loop() -> None:
    dataset = records()
    model = reader(dataset)
    numbers = _measured(model, dataset)
    images = _image_rows(model, dataset)
    per_kind: dict[str, list[float]] = {}
    overall: list[float] = []
    for image, text in zip(images, dataset.texts, strict=True):
        own = _rows(model, [text])[0] @ image
        won: dict[str, list[bool]] = {}
        for edit in dataset.edits:
            if dataset.reports[edit.report] == text:
                score = _rows(model, [edit.text])[0] @ image
                won.setdefault(edit.kind, []).append(bool(own > score))
        for kind, wins in won.items():
            per_kind.setdefault(kind, []).append(float(np.mean(wins)))
        if won:
            overall.append(
                float(np.mean([win for wins in won.values() for win in wins]))
            )
    assert numbers.overall is not None
    assert numbers.overall.share == pytest.approx(float(np.mean(overall)))
    assert numbers.overall.images == len(overall) == 28
    assert [share.kind for share in numbers.kinds] == ["negation", "side", "own-kind"]
    for share in numbers.kinds:
        assert share.share == pytest.approx(float(np.mean(per_kind[share.kind])))
        assert share.images == len(per_kind[share.kind])
        assert share.interval[0] <= share.share <= share.interval[1]
    assert 0.5 < numbers.overall.share < 1
    assert (numbers.reports, numbers.edited) == (23, 22)


def test_recall_among_distractors_is_that_of_a_naive_loop() -> None:
    dataset = records()
    model = reader(dataset, step=0.2)
    numbers = _measured(model, dataset).with_distractors
    images = _image_rows(model, dataset)
    texts = [*dataset.reports, *dict.fromkeys(edit.text for edit in dataset.edits)]
    scores = images @ _rows(model, texts).T
    ranks = []
    for row, text in zip(scores, dataset.texts, strict=True):
        own = row[texts.index(text)]
        ranks.append(
            1
            + sum(
                row[other] >= own for other in range(len(texts)) if texts[other] != text
            )
        )
    assert numbers.gallery == len(texts)
    assert numbers.distractors == len(texts) - len(dataset.reports)
    for k in KS:
        assert numbers.recall[k] == pytest.approx(float((np.array(ranks) <= k).mean()))
    assert numbers.recall[1] < numbers.without_edits[1]
    assert numbers.chance[1] == pytest.approx(1 / len(texts))


def test_a_model_that_does_not_see_the_edits_wins_nothing() -> None:
    dataset = records()
    numbers = _measured(reader(dataset, step=0.0), dataset)
    assert numbers.overall is not None
    assert numbers.overall.share == 0
    assert numbers.unseen == numbers.edits == len(dataset.edits)
    # Report 0 has no edit; an edit ties with any other right report that found first place.
    assert numbers.with_distractors.recall[1] <= 2 / 30


def test_rows_that_differ_by_rounding_alone_are_ties() -> None:
    dataset = records()

    class Rounding(Reader):
        def encode_reports(self, texts):  # type: ignore[no-untyped-def]
            rows = super().encode_reports(texts)
            jitter = np.random.default_rng(len(self.seen)).normal(
                size=tuple(rows.shape)
            )
            return rows + 1e-8 * torch.from_numpy(jitter.astype(np.float32))

    model = Rounding(reader(dataset).rows, step=0.0)
    numbers = _measured(model, dataset)
    assert numbers.overall is not None
    assert numbers.overall.share == 0


def test_orders_of_images_and_edits_change_nothing() -> None:
    dataset = records()
    model = reader(dataset)
    turned = replace(
        dataset,
        edits=tuple(reversed(dataset.edits)),
    )
    assert _measured(model, turned) == _measured(model, dataset)


def test_a_cell_is_compared_with_its_own_images() -> None:
    dataset = records()
    model = reader(dataset, step=0.1)
    clean = _measured(model, dataset)
    hidden = _measured(model, dataset, Cell(PATCHES.name, 0.6, 0))
    assert clean.overall is not None
    assert hidden.overall is not None
    assert hidden.overall.share < clean.overall.share
    assert hidden.with_distractors.recall != clean.with_distractors.recall


def test_patients_with_several_images_widen_the_interval() -> None:
    dataset = replace(records(40, 20), repeats=True)
    apart = _measured(reader(dataset), dataset)
    owned = replace(dataset, owners=tuple(f"p{text}" for text in dataset.texts))
    together = _measured(reader(dataset), owned)
    assert apart.overall is not None
    assert together.overall is not None
    assert together.overall.share == apart.overall.share
    assert together.overall.effective < 0.6 * apart.overall.effective
    low, high = apart.overall.interval
    wide_low, wide_high = together.overall.interval
    assert wide_low < low
    assert wide_high > high


def test_an_edit_with_the_text_of_a_right_report_is_left_out() -> None:
    dataset = records()
    same = ReportEdit(2, "side", "swapped", dataset.reports[2])
    edited = EditedReports((*dataset.edits, same), 23, "table")
    numbers = _measured(reader(dataset), dataset, edited=edited)
    assert numbers.left_out == 1
    assert numbers.edits == len(dataset.edits)


def test_an_edit_with_the_text_of_another_report_is_no_distractor() -> None:
    dataset = records()
    other = ReportEdit(2, "side", "swapped", dataset.reports[3])
    edited = EditedReports((other,), 23, "table")
    numbers = _measured(reader(dataset), dataset, edited=edited)
    assert numbers.with_distractors.distractors == 0
    assert numbers.with_distractors.recall == numbers.with_distractors.without_edits
    assert numbers.overall is not None
    assert numbers.overall.edits == 1


def test_data_without_edits_has_no_win_share() -> None:
    dataset = records()
    numbers = _measured(reader(dataset), dataset, edited=EditedReports((), 23, "rules"))
    assert numbers.overall is None
    assert numbers.kinds == ()
    assert (numbers.edited, numbers.reports) == (0, 23)


def test_an_edit_of_no_report_is_refused_and_takes_no_recall_away() -> None:
    dataset = records()
    edited = EditedReports((ReportEdit(99, "side", "swapped", "secret"),), 23, "table")
    options = SweepOptions(edits=edited)
    result = run_sweep(reader(dataset), pairs_of(dataset), [], KS, options)
    assert isinstance(result.edits_error, DatasetError)
    assert "report=99" in str(result.edits_error)
    assert "secret" not in str(result.edits_error)
    measured = result.cells[CLEAN]
    assert isinstance(measured, Measured)
    assert measured.counterfactual is None


def test_each_text_is_encoded_once() -> None:
    dataset = records()
    twice = [replace(edit, kind="size") for edit in dataset.edits[:5]]
    edited = EditedReports((*dataset.edits, *twice), 23, "table")
    model = reader(dataset)
    numbers = _measured(model, dataset, edited=edited)
    assert len(model.seen) == len(set(model.seen))
    assert numbers.edits == len(dataset.edits) + 5
    assert numbers.with_distractors.distractors == len(dataset.edits)


def test_a_similarity_of_the_models_own_decides() -> None:
    dataset = records()

    class Backwards(Reader):
        def similarity(
            self, queries: torch.Tensor, gallery: torch.Tensor
        ) -> torch.Tensor:
            return queries @ gallery.T

    plain = _measured(reader(dataset), dataset)
    own = _measured(Backwards(reader(dataset).rows), dataset)
    assert own.overall is not None
    assert plain.overall is not None
    assert own.overall.share == plain.overall.share
    assert own.with_distractors == plain.with_distractors


def test_without_edits_a_sweep_is_as_ever() -> None:
    dataset = Records.of(*(f"report {number % 23}" for number in range(30)))
    result = run_sweep(reader(dataset), pairs_of(dataset), [], KS)
    measured = result.cells[CLEAN]
    assert isinstance(measured, Measured)
    assert measured.counterfactual is None
    assert result.edits_error is None
