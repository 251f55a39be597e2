"""Every point of every curve as rows of a CSV file."""

from __future__ import annotations

from collections.abc import Sequence

from ._text import plain
from .series import Point, Series

CURVE_COLUMNS = (
    "model",
    "data set",
    "occluder",
    "direction",
    "k",
    "seeds",
    "level",
    "hidden share",
    "recall",
    "recall low",
    "recall high",
    "kept",
    "kept low",
    "kept high",
    "chance",
    "ceiling",
    "gate",
    "family",
    "changed share",
)


def curve_csv(series: Sequence[Series]) -> list[list[object]]:
    """One row per point, under `CURVE_COLUMNS`."""
    return [row for line in series for row in _rows(line)]


def _rows(line: Series) -> list[list[object]]:
    retention = {point.level: point for point in line.retention}
    altered = dict(
        zip((point.level for point in line.recall), line.altered, strict=False)
    )
    points = zip(line.recall, line.achieved, line.verdicts, strict=True)
    rows: list[list[object]] = []
    for recall, hidden_share, verdict in points:
        retained = retention.get(recall.level, Point(recall.level, None))
        row = [
            plain(line.model),
            plain(line.dataset),
            plain(line.occluder),
            line.direction,
            line.k,
            " ".join(map(str, line.seeds)),
            recall.level,
            hidden_share if line.family == "occlusion" else None,
            recall.value,
            recall.low,
            recall.high,
            retained.value,
            retained.low,
            retained.high,
            line.chance,
            line.ceiling,
            verdict,
            line.family,
            altered.get(recall.level),
        ]
        rows.append(row)
    return rows
