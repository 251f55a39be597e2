"""The HTML report: one file that loads nothing from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ReportEntry
from .page import render_html

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue


def register(catalogue: Catalogue[ReportEntry]) -> None:
    catalogue.add(
        ReportEntry(
            "html",
            "one page: verdict, curves, tables, provenance",
            render_html,
            render_html,
        )
    )
