"""The saved runs that a run is compared with, by what they are to it."""

from __future__ import annotations

from .string_enum import StrEnum


class Role(StrEnum):
    """What a saved run is to the run that is compared with it."""

    BASELINE = "baseline"
    """The model that is shipped today: it moves with each release."""
    REFERENCE = "reference"
    """A run that stays: what many releases have lost together shows beside it alone."""

    @property
    def option(self) -> str:
        """The option that names its folder."""
        return f"--robust-{self}"
