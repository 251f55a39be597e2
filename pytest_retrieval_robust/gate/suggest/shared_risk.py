"""How far numbers of one run may fall together: the deviate at which any of them is missed
with a given probability.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ...retrieval.intervals import normal_quantile
from ..curve_statistics import Floats

_FEWEST_IN_THE_TAIL = 100
"""Resamples beyond the quantile without which the risk is divided by the number of gates
instead.
"""


def deviate_of_one(risk: float, gates: int) -> float:
    """The standard normal deviate of one of `gates` that share a risk equally, whatever
    they have in common (C. E. Bonferroni).
    """
    return normal_quantile(1 - risk / gates)


def shared_deviate(columns: Iterable[Floats], risk: float) -> float:
    """The number of standard errors by which none of several numbers falls from one sample
    of patients to another with a probability of 1 - `risk`.

    Each column holds (B,) values of one number in resamples of the patients, the same
    resamples in all. The difference of two resamples varies as that of two samples does.
    The largest of the standardised falls has the quantile that is looked for, so that
    numbers which fall together share the risk and do not pay for each other (P. H.
    Westfall, S. S. Young, "Resampling-Based Multiple Testing", 1993).
    """
    worst: Floats | None = None
    gates = 0
    for column in columns:
        gates += 1
        spread = float(column.std())
        # What never varies cannot fall.
        if spread == 0:
            continue
        falls = (np.roll(column, 1) - column) / (math.sqrt(2) * spread)
        worst = falls if worst is None else np.maximum(worst, falls)
    alone = normal_quantile(1 - risk)
    if worst is None:
        return alone
    if risk * len(worst) < _FEWEST_IN_THE_TAIL:
        return deviate_of_one(risk, gates)
    # One gate alone falls as often as the normal distribution says, and more of them not less.
    return max(alone, float(np.quantile(worst, 1 - risk)))
