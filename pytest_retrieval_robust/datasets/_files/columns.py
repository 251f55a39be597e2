"""Which columns of a user's own data are read, and a row of them as an image's caption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .captions import CaptionRow
from .values import as_text, captions_of, section_of
from .views import view_of


@dataclass(frozen=True)
class Columns:
    """The columns of texts, ids and views by what they hold; None for what there is not."""

    text: str
    findings: str | None = None
    impression: str | None = None
    id: str | None = None
    group: str | None = None
    patient: str | None = None
    view: str | None = None
    strata: tuple[str, ...] = ()

    @property
    def has_sections(self) -> bool:
        return self.findings is not None or self.impression is not None

    @property
    def id_columns(self) -> dict[str, str | None]:
        """The columns that say which rows belong together, for messages."""
        return {"id": self.id, "group": self.group, "patient": self.patient}

    def names(self) -> list[str]:
        """The columns to read, each once."""
        single = (field.name for field in fields(self) if field.name != "strata")
        names = (*(getattr(self, field) for field in single), *self.strata)
        return list(dict.fromkeys(name for name in names if name is not None))

    def row_of(self, values: Mapping[str, Any], number: int, where: str) -> CaptionRow:
        """A row of the data: `values` by column. Messages call it `where`.

        Its image is one of its own, until the reader says which it is. Raises
        `DatasetError` for a value that is none for its column.
        """

        def word(column: str | None) -> str:
            return "" if column is None else as_text(values[column], column, where)

        def section(column: str | None) -> str:
            return "" if column is None else section_of(values[column], column, where)

        # Sections are single texts; captions may be a list.
        return CaptionRow(
            number=number,
            where=where,
            image=str(number),
            location=str(number),
            id=word(self.id),
            group=word(self.group),
            patient=word(self.patient),
            view=view_of(word(self.view)),
            captions=captions_of(values[self.text], self.text, where),
            findings=section(self.findings),
            impression=section(self.impression),
            has_sections=self.has_sections,
            strata=tuple(word(column).strip() for column in self.strata),
        )
