"""Saved runs made of ranks that a test chooses, written by the package's own code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_retrieval_robust.core.cases import Case, Plan
from pytest_retrieval_robust.core.outcomes import ModelRecord, Outcome, Timing
from pytest_retrieval_robust.core.searches import BreakingOutcome, HeatMap
from pytest_retrieval_robust.core.strata import SMALLEST_GROUP, Stratum, StratumGroup
from pytest_retrieval_robust.gate.arrays import RunStore, case_key, dataset_key
from pytest_retrieval_robust.gate.comparison import Run
from pytest_retrieval_robust.gate.evidence import Evidence
from pytest_retrieval_robust.gate.measurements import Identity, Measurements, Scope
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, judge_run
from pytest_retrieval_robust.measure.sweep.scores import scores_of
from pytest_retrieval_robust.reports.saved.checks import search_key
from pytest_retrieval_robust.reports.saved_run import save_run
from pytest_retrieval_robust.retrieval.bootstrap import Clusters

LEVELS = (0.0, 0.2, 0.4)
SEVERITIES = (0.0, 0.2, 0.6, 1.0)
KS = (1, 10)
Ranks = NDArray[np.int64]


@dataclass(frozen=True)
class Made:
    """A run in memory, and the store that its arrays lie in."""

    run: Run
    store: RunStore

    def save(
        self, folder: Path, change: Callable[[dict[str, Any]], None] | None = None
    ) -> Path:
        """Write it as `--robust-results` does; `change` may alter run.json afterwards."""
        save_run(judge_run(self.run, Policy(), Against()), self.store, folder)
        if change is not None:
            data = json.loads((folder / "run.json").read_text())
            change(data)
            (folder / "run.json").write_text(json.dumps(data))
        return folder

    def measured(self, **changes: Any) -> Made:
        """The same run with other facts."""
        measured = replace(self.run.measured, **changes)
        return replace(self, run=Run(measured, self.run.evidence))


def make_run(
    folder: Path,
    queries: int = 200,
    *,
    shift: int = 0,
    models: tuple[str, ...] = ("ours",),
    levels: tuple[float, ...] = LEVELS,
    seeds: tuple[int, ...] = (0,),
    studies: int = 1,
    order: Ranks | None = None,
    facts: Mapping[str, Any] | None = None,
    precision: str = "fp32",
    floor: int = 1,
    occluders: tuple[str, ...] = ("patches",),
    ks: tuple[int, ...] = KS,
    corruptions: tuple[str, ...] = (),
    text_noise: tuple[str, ...] = (),
    severities: tuple[float, ...] = SEVERITIES,
    strata: Mapping[str, Sequence[str]] | None = None,
) -> Made:
    """A run on `queries` images of a data set of that many reports.

    Each query's rank rises with the level; `shift` moves every fourth query's rank
    further down once something is hidden, and `order` permutes the queries. `studies`
    images are a patient's: either all of them are moved or none. No rank is better than
    `floor`. Each perturbation does as much harm as an occluder at that level. `strata` has
    the group of each query by stratum, which is that of its image and of its report.
    """
    store = RunStore(folder)
    if order is None:
        order = np.arange(queries)
    # Whether a query is moved follows from its patient.
    patients = ((order % 4) * 4 * queries + order // 4) // studies
    known_strata, codes = _strata_of(strata or {})
    store.save(
        dataset_key("d"),
        image_query_key=1_000_000 + order,
        report_query_key=2_000_000 + order,
        cluster=patients,
        report_cluster=patients,
        image_right=np.ones(queries, dtype=np.int64),
        report_right=np.ones(queries, dtype=np.int64),
        **codes,
    )
    clusters = Clusters.of(patients)
    outcomes = []
    plan = Plan(
        models,
        ("d",),
        occluders,
        levels,
        seeds,
        ks,
        corruptions,
        text_noise,
        severities if corruptions or text_noise else (),
    )
    for case in _cases_of(plan):
        ranks = np.maximum(
            ranks_of(queries, case.level, case.seed, shift)[order], floor
        )
        outcomes.append(_outcome(store, case, ranks, precision, ks, clusters))
    dataset = {
        "name": "d",
        "split": "test",
        "text": "findings",
        "relevance": "same-text",
        "fingerprint": "f" * 64,
        "pixel_digest": "p" * 64,
        "images": queries,
        "reports": queries,
        "groups": queries,
        "skipped": 0,
        "duplicate_share": 0.0,
        "ceiling": {str(k): 1.0 for k in ks},
        **({"strata": known_strata} if known_strata else {}),
        **(facts or {}),
    }
    measured = Measurements(
        Identity.new(),
        Scope(None, "pytest"),
        limit=None,
        plan=plan,
        outcomes=tuple(outcomes),
        costs=(),
        breaking=(),
        counterfactuals=(),
        models=tuple(
            ModelRecord(model, True, None, {"sha256": "a" * 64}, named=True)
            for model in models
        ),
        datasets=(dataset,),
        broken=(),
        broken_tests=0,
        notes=(),
    )
    return Made(Run(measured, Evidence(store)), store)


def _strata_of(
    strata: Mapping[str, Sequence[str]],
) -> tuple[list[dict[str, Any]], dict[str, Ranks]]:
    """What the record of a data set says of its strata, and their arrays."""
    known = []
    codes = []
    for name, words in strata.items():
        groups, places, sizes = np.unique(
            np.array(words), return_inverse=True, return_counts=True
        )
        named = tuple(
            StratumGroup(str(group), size, size)
            for group, size in zip(groups, sizes.tolist(), strict=True)
        )
        known.append(Stratum(name, SMALLEST_GROUP, named).as_json())
        codes.append(places.astype(np.int64))
    if not codes:
        return [], {}
    table = np.stack(codes)
    return known, {"image_strata": table, "report_strata": table}


def _cases_of(plan: Plan) -> Iterator[Case]:
    """Every case of a plan, the seeds of a level side by side."""
    for model, perturbation in product(plan.models, plan.perturbations):
        family = perturbation.family
        for level, seed in product(plan.levels_of(family), plan.seeds):
            yield Case(model, "d", perturbation.name, level, seed, family)


def with_search(
    made: Made, model: str, images: int = 20, grid: int = 4, k: int = 10
) -> Made:
    """The same run with a search for the smallest breaking occlusions."""
    rng = np.random.default_rng(0)
    masks = (rng.random((images, grid, grid)) < 0.1).astype(np.uint8)
    masks[:, 0, 0] = 1
    before = np.where(np.arange(images) % 5 == 0, k + 5, 1)
    shares = np.sort(masks.reshape(images, -1).mean(axis=1)[before <= k])
    rows = tuple(tuple(row) for row in rng.random((grid, grid)).tolist())
    falls = HeatMap(images, rows)
    search = BreakingOutcome(
        model,
        "d",
        k,
        grid,
        "black",
        600,
        images,
        tuple(shares.tolist()),
        0,
        3,
        99.0,
        falls,
    )
    key = search_key(search)
    made.store.save(
        key,
        image_query_key=np.arange(images),
        breaking_mask=masks,  # type: ignore[arg-type]  # as the package itself saves it
        rank_before=before,
        rank_after=np.full(images, k + 1),
    )
    return made.measured(breaking=(replace(search, arrays_key=key),))


def ranks_of(queries: int, level: float, seed: int = 0, shift: int = 0) -> Ranks:
    """Ranks from 1 that rise with the level, differently for each query and seed."""
    rng = np.random.default_rng(seed)
    hardness = rng.random(queries)
    hidden = np.random.default_rng([seed, round(1000 * level)]).random(queries)
    places = 30 * hardness**3 * (1 + 4 * level * hidden) + 25 * level * hidden
    ranks = 1 + np.floor(places).astype(np.int64)
    if level > 0:
        ranks[::4] += shift
    return np.clip(ranks, 1, queries)


def _outcome(
    store: RunStore,
    case: Case,
    ranks: Ranks,
    precision: str,
    ks: tuple[int, ...],
    patients: Clusters,
) -> Outcome:
    key = case_key(case)
    queries = np.arange(len(ranks))
    store.save(key, image_ranks=ranks, report_ranks=ranks)
    scores = scores_of(ranks, queries, queries, ks, patients)
    return Outcome(
        case,
        case.level,
        case.level,
        scores,
        scores,
        Timing(100.0, 1.0, 0.1, "cpu", precision),
        key,
    )
