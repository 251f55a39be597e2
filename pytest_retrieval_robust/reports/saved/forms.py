"""What forms of `run.json` have in common."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

Sha256: TypeAlias = Annotated[
    str, Meta(extra_json_schema={"pattern": "^[0-9a-f]{64}$"})
]
Ends: TypeAlias = tuple[float | None, float | None]
"""Lower and upper end of an interval; null where infinite."""


class Form(Struct, forbid_unknown_fields=True):
    """A part of `run.json` whose form is not that of a class."""
