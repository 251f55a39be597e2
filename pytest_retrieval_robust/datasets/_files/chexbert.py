"""Labels as CheXbert publishes them for CheXpert Plus: JSON Lines, a number per label."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import DatasetError
from .._pixels.damage import guarded, kind_of


def chexbert_labels(
    file: Path, study_of: Callable[[str], str]
) -> dict[str, frozenset[str]]:
    """The positive labels of each study's first image.

    `study_of` gives the study of an image. The file is JSON Lines with `path_to_image`
    and a number per label, whatever its suffix.
    """
    labels: dict[str, frozenset[str]] = {}
    progress = _Progress()
    for image, marks in guarded(_label_marks(file, progress), progress.problem):
        positive = frozenset(label for label, mark in marks.items() if mark == 1)
        # All images of a study have the labels of its one report.
        labels.setdefault(study_of(image), positive)
    return labels


@dataclass
class _Progress:
    """How far the file of labels was read, for messages."""

    line: int = 0

    def problem(self, error: BaseException) -> DatasetError:
        return DatasetError(
            f"Expected an object with path_to_image, got {kind_of(error)} in line"
            f" {self.line} of the file of labels. Copy it again."
        )


def _label_marks(
    file: Path, progress: _Progress
) -> Iterator[tuple[str, dict[str, object]]]:
    from .streams import lines_of, open_text

    with open_text(file) as stream:
        for line in lines_of(stream):
            progress.line += 1
            if line.strip():
                marks = json.loads(line)
                yield marks.pop("path_to_image"), marks
