"""The Markdown report: what a pull request needs to see, in GitHub's dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ReportEntry
from .report import render_markdown

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue


def register(catalogue: Catalogue[ReportEntry]) -> None:
    catalogue.add(
        ReportEntry(
            "md", "for pull requests: verdict, changes, tables", render_markdown
        )
    )
