"""The numbers that are made of the errors of two runs under several perturbations."""

from __future__ import annotations

from ..core.string_enum import StrEnum


class ErrorStatistic(StrEnum):
    """A number that is made of the errors of both runs."""

    MEAN = "mce"
    """The mean over the perturbations of CE = error / the baseline's error."""
    RELATIVE = "relative_mce"
    """The mean of (error - clean error) / the same of the baseline."""
    WORST = "worst_ce"
    """The greatest CE."""
