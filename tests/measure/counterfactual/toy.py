"""Small pictures with reports, edits of these made by hand, and models that see them or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pytest_retrieval_robust.core.counterfactuals import EditedReports, ReportEdit
from tests.measure.sweep.test_sweep import Pixels, Records


@dataclass(frozen=True)
class EditedRecords(Records):
    """`Records` with edits of each report."""

    edits: tuple[ReportEdit, ...] = ()
    owners: tuple[str, ...] | None = None

    repeats: bool = False
    """Whether images of one report are the same picture."""

    def image(self, index: int) -> Image.Image:
        if self.repeats:
            index = self.reports.index(self.texts[index])
        return super().image(index)

    @property
    def patients(self) -> list[str]:
        return self.image_ids if self.owners is None else list(self.owners)

    def edited_reports(self) -> EditedReports:
        return EditedReports(self.edits, len(self.reports), "exact")


def records(images: int = 30, reports: int = 23) -> EditedRecords:
    """Several images share a report. Report 0 cannot be edited."""
    texts = tuple(f"report {number % reports}" for number in range(images))
    edits = [
        ReportEdit(report, kind, "changed", f"report {report}, {kind} {turn}")
        for report in range(1, reports)
        for turn, kind in enumerate(("side", "negation", "negation", "own-kind"))
        if kind != "side" or report % 3
    ]
    distinct = tuple(dict.fromkeys(texts))
    return EditedRecords(texts, distinct, edits=tuple(edits))


@dataclass
class Reader(Pixels):
    """Embeds an edit near its report: as near as `step` says, 0 for the very same row."""

    step: float = 0.5
    seen: list[str] = field(default_factory=list)

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        self.seen += texts
        rows = [self._row(text) for text in texts]
        return torch.nn.functional.normalize(torch.from_numpy(np.stack(rows)), dim=1)

    def _row(self, text: str) -> NDArray[np.float32]:
        report = text.partition(",")[0]
        row = self.rows[report]
        if report == text or not self.step:
            return row
        rng = np.random.default_rng(list(text.encode()))
        noise = self.step * np.abs(row).mean() * rng.normal(size=row.shape)
        moved: NDArray[np.float32] = (row + noise).astype(np.float32)
        return moved


def reader(dataset: Records, step: float = 0.5, noise: float = 0.6) -> Reader:
    """A model that finds most reports, and prefers some edits to them."""
    from tests.measure.sweep.test_sweep import noisy_model

    return Reader(noisy_model(dataset, noise).rows, step=step)
