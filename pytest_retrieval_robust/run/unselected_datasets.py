"""A sentence on data sets of `robust.toml` that nobody asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import Settings


def unselected_note(settings: Settings) -> str | None:
    """Which data sets a run might have been about, where no option chose any.

    The models of `robust.toml` are measured unasked, its data sets are not: they may lie
    on another machine. A verdict on the default must not pass for one on them.
    """
    file = settings.config_file
    if settings.datasets_chosen or file is None or not file.datasets:
        return None
    default = ", ".join(settings.datasets)
    names = ",".join(table.name for table in file.datasets)
    return (
        f"No option chose a data set, so {default} was measured, the default, and none"
        f" of robust.toml: --robust-datasets {names}."
    )
