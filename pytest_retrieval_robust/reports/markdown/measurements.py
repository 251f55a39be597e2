"""What was measured besides recall: breaking occlusions and costs."""

from __future__ import annotations

from collections.abc import Iterator

from ...gate.record import RunRecord
from .._text import QUANTILES, level_text, number, percent
from ..family_summary import heads_for
from .dialect import code, folded, table

_SEARCH_TITLE = (
    "### Smallest hidden area that pushes the report out of the top k, in % of the"
    " image (upper bounds)"
)
_COST_HEADS = (
    "model",
    "data set",
    "occluder",
    "level",
    "ms per image",
    "times level 0",
)


def search_blocks(run: RunRecord) -> Iterator[str]:
    """Quantiles of the smallest breaking areas."""
    if not run.breaking:
        return
    quantiles = [f"{100 * share:g} % of images" for share in QUANTILES]
    heads = ("model", "data set", "top", *quantiles, "images")
    rows = []
    for search in run.breaking:
        areas = [percent(search.quantile(share), 2) for share in QUANTILES]
        subject = [code(search.model), code(search.dataset)]
        rows.append([*subject, str(search.k), *areas, str(len(search.shares))])
    yield f"{_SEARCH_TITLE}\n\n{table(heads, rows, 2)}"


def cost_blocks(run: RunRecord) -> Iterator[str]:
    """What hiding costs, beside hiding nothing."""
    if not run.costs:
        return
    rows = []
    for cost in run.costs:
        case = cost.case
        row = (
            code(case.model),
            code(case.dataset),
            code(case.occluder),
            level_text(case.level, case.family),
            number(1e3 * cost.occluded_seconds, 2),
            number(cost.relative_cost, 2),
        )
        rows.append(row)
    heads = heads_for([cost.case for cost in run.costs], _COST_HEADS)
    yield folded("Time per image", table(heads, rows, 3))
