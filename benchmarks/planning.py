"""Whether gates pass and fail as often as `plan` says: `python -m benchmarks.planning`.

Pairs of models and patients are drawn from a truth that is known, and judged by the
package's own code. Their rates stand beside the powers that the planner computes from
the moments of the same truth: recalls, discordance, correlations between levels, and
design effects. The exit code is 1 where one is further than two points off, beyond what
the number of pairs explains. All take four minutes on one core, `--quick` one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.rate_tables import Rate, Row, Table
from benchmarks.simulated_pairs import ALPHA, LEVELS, Floats, World
from pytest_retrieval_robust.gate.curve_statistics import (
    Statistic,
    estimate_of,
    retention_of,
)
from pytest_retrieval_robust.gate.difference import Errors, non_inferior
from pytest_retrieval_robust.gate.floors import Floor
from pytest_retrieval_robust.gate.paired_hits import PairedHits
from pytest_retrieval_robust.gate.power.cell import CellPower
from pytest_retrieval_robust.gate.power.curve_floor import CurveFloorPower
from pytest_retrieval_robust.gate.power.planned import GatePower
from pytest_retrieval_robust.gate.power.pooled import PairedLevels, PooledPower
from pytest_retrieval_robust.gate.power.recall_floor import RecallFloorPower
from pytest_retrieval_robust.gate.power.sampling import Sampling
from pytest_retrieval_robust.retrieval.bootstrap import Clusters

NEAR = 0.02
"""How far a rate may be from the plan."""
GATES = 4
"""Baseline gates that share the error of a false block."""
