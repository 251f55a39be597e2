"""Records of runs for tests of reports, made of ranks that a test chooses and judged by
the package's own code.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from pytest_retrieval_robust.core.cases import Case
from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.costs import CostMeasurement, Latency
from pytest_retrieval_robust.core.counterfactual_outcomes import (
    CounterfactualOutcome,
    DistractorRecall,
    WinShare,
    clean_case,
)
from pytest_retrieval_robust.core.drift import (
    DriftOutcome,
    DriftPart,
    PartName,
    PartState,
)
from pytest_retrieval_robust.core.outcomes import ModelRecord
from pytest_retrieval_robust.core.sample_sheets import Retrieved, Sample, SampleSheet
from pytest_retrieval_robust.core.searches import BreakingOutcome, HeatMap
from pytest_retrieval_robust.gate.measurements import Identity
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.retrieval.intervals import proportion

from ..saved_runs import make_run

T = TypeVar("T")
HOST = {
    "python": "3.11.9",
    "system": "Linux x86_64",
    "processors": 2,
    "torch": "2.9.0",
    "gpu": None,
}
GATES = """
[[gate]]
level = 0.2
recall = { 10 = 0.75 }
decide = "bound"

[[gate]]
level = 0.4
recall = { 10 = 0.75 }
retention = { 10 = 0.2 }
"""


def record(
    folder: Path,
    queries: int = 200,
    *,
    gates: str = GATES,
    shift: int = 0,
    beside: bool = False,
    **choices: Any,
) -> RunRecord:
    """A judged run; `beside` compares it with the same one without `shift`, `choices`
    are those of `make_run`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "robust.toml").write_text(gates)
    policy = read_policy(read_config_file(folder / "robust.toml"))
    mine = make_run(folder / "mine", queries, shift=shift, **choices)
    against = (
        Against(make_run(folder / "theirs", queries, **choices).run)
        if beside
        else Against()
    )
    judged = judge_run(mine.run, policy, against)
    return replace(judged, identity=replace(judged.identity, host=HOST))


def searched(
    model: str, seed: int = 0, images: int = 40, grid: int = 8, labels: int = 2
) -> BreakingOutcome:
    """A search for the smallest breaking occlusions, with maps."""
    rng = np.random.default_rng(seed)
    shares = np.sort(np.round(rng.beta(2, 20, images), 4)).tolist()

    def heat() -> HeatMap:
        return HeatMap(
            images,
            tuple(
                tuple(row)
                for row in (rng.random((grid, grid)) ** 3 / 10 - 0.01).tolist()
            ),
        )

    maps = {f"finding {place}": heat() for place in range(labels)}
    return BreakingOutcome(
        model,
        "d",
        10,
        grid,
        "black",
        600,
        images,
        tuple(shares),
        0,
        9,
        512.0,
        heat(),
        maps,
    )


def win_share(kind: str, share: float, images: int = 60) -> WinShare:
    """Two edits per image, worth one and a half independent ones."""
    effective = 1.5 * images
    estimate = proportion(share, images, 0.975, images / effective)
    interval = (estimate.low, estimate.high)
    return WinShare(kind, 2 * images, 2 * images, images, share, interval, effective)


def compared(
    case: Case,
    pairs: int,
    kinds: Mapping[str, float] | None = None,
    ks: Sequence[int] = (1, 5, 10),
) -> CounterfactualOutcome:
    """The images of a case beside edits of their reports: a win share for each kind."""
    images = min(60, pairs)
    shares = [
        win_share(kind, share, images)
        for kind, share in (kinds or {"negation": 0.9, "side": 0.7}).items()
    ]
    overall = None
    if shares:
        mean = sum(share.share for share in shares) / len(shares)
        total = sum(share.comparisons for share in shares)
        overall = replace(
            win_share("all", mean, images), edits=total, comparisons=total
        )
    edits = 0 if overall is None else overall.edits
    recall = {k: min(0.5, k / pairs + 0.3) for k in ks}
    estimates = {k: proportion(recall[k], pairs, 0.975) for k in ks}
    return CounterfactualOutcome(
        case=case,
        source="exact",
        reports=pairs,
        edited=images if edits else 0,
        edits=edits,
        left_out=0,
        unseen=0,
        overall=overall,
        kinds=tuple(shares),
        with_distractors=DistractorRecall(
            queries=pairs,
            distractors=edits,
            gallery=pairs + edits,
            recall=recall,
            recall_interval={k: (one.low, one.high) for k, one in estimates.items()},
            without_edits={k: min(1.0, value + 0.2) for k, value in recall.items()},
            chance={k: k / (pairs + edits) for k in ks},
            effective=dict.fromkeys(ks, float(pairs)),
        ),
    )


def compared_in(run: RunRecord) -> tuple[CounterfactualOutcome, ...]:
    """Clean images, and the first cell, of every model and data set of a run."""
    found: dict[tuple[str, str], list[CounterfactualOutcome]] = {}
    for outcome in run.outcomes:
        case = outcome.case
        pairs = outcome.image_to_report.queries
        ks = tuple(outcome.image_to_report.recall)
        clean = clean_case(case.model, case.dataset)
        cells = found.setdefault(
            (case.model, case.dataset), [compared(clean, pairs, ks=ks)]
        )
        if case.level > 0 and len(cells) < 2:
            cells.append(compared(case, pairs, {"negation": 0.6}, ks))
    return tuple(cell for cells in found.values() for cell in cells)


def sample_sheet(text: str = "a report") -> SampleSheet:
    """One sample, for which `text` is the right report."""
    stream = io.BytesIO()
    Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    ).save(stream, "JPEG")
    found = (Retrieved(text, right=True), Retrieved("another", right=False))
    sample = Sample(
        "Typical", 1, 7, 0.25, stream.getvalue(), stream.getvalue(), found, found[::-1]
    )
    return SampleSheet("ours", "d", "hidden", "patches", 40, (sample,))


def drifted(model: str, largest: float | None = 2e-8) -> DriftOutcome:
    """A model beside its fingerprint."""
    states: tuple[tuple[PartName, PartState, int], ...] = (
        ("tokenizer", "same", 12),
        ("pixels", "same", 12),
        ("weights", "not known", 0),
    )
    parts = [DriftPart(name, state, (), count) for name, state, count in states]
    libraries = ("torch 2.9.1, not 2.9.0",)
    return DriftOutcome(
        model, f"{model}.json", largest, "rings", 24, tuple(parts), libraries
    )


def timed(run: RunRecord) -> tuple[CostMeasurement, ...]:
    """What hiding costs in each case of a run."""
    latency = Latency(0.012, 0.019, 50)
    cases = [outcome.case for outcome in run.outcomes]
    return tuple(
        CostMeasurement(
            case,
            0.01,
            0.0104,
            1.04,
            9,
            64,
            "cpu",
            (1.01, 1.04, 1.09),
            "a processor",
            latency,
            2**30,
        )
        for case in cases
    )


def whole_record(
    folder: Path, models: tuple[str, ...] = ("ours", "theirs"), **choices: Any
) -> RunRecord:
    """A record that has something of everything."""
    choices = {"occluders": ("patches", "worst"), "shift": 60, **choices}
    run = record(folder, beside=True, models=models, **choices)
    absent = ModelRecord("clip", False, "its weights are not here", {}, named=True)
    return replace(
        run,
        models=(*run.models, absent),
        breaking=tuple(
            searched(model, place, grid=4) for place, model in enumerate(models)
        ),
        counterfactuals=compared_in(run),
        drift=tuple(map(drifted, models)),
        costs=timed(run),
        warnings=(*run.warnings, "a warning"),
        broken=("test_x: it broke",),
    )


def renamed(value: T, names: Mapping[str, str]) -> T:
    """The same with other names, wherever they stand alone or in a sentence."""
    found: Any = value
    if isinstance(value, Enum):
        # A kind of gate is no name.
        return value
    if isinstance(value, str):
        for name, other in names.items():
            found = found.replace(name, other)
    elif is_dataclass(value) and not isinstance(value, type | Identity):
        found = replace(
            value,
            **{
                field.name: renamed(getattr(value, field.name), names)
                for field in fields(value)
            },
        )
    elif isinstance(value, tuple | list):
        found = type(value)(renamed(one, names) for one in value)
    elif isinstance(value, Mapping):
        found = {renamed(key, names): renamed(one, names) for key, one in value.items()}
    return found  # type: ignore[no-any-return]


def multiplied(
    run: RunRecord, models: Sequence[str], occluders: Sequence[str]
) -> RunRecord:
    """The run of one model and occluder, "ours" and "patches", as that of many: judging
    so many takes longer.
    """
    names = [
        {"ours": model, "patches": occluder}
        for model in models
        for occluder in occluders
    ]
    baseline = run.baseline
    if baseline is not None:
        hidden = tuple(
            cell for cell in baseline.cells if cell.case.level > 0
        )  # level 0 is one cell a model
        sides = [
            (baseline.cells if one["patches"] == occluders[0] else hidden, one)
            for one in names
        ]
        baseline = replace(
            baseline,
            cells=tuple(cell for cells, one in sides for cell in renamed(cells, one)),
        )
    return replace(
        run,
        plan=replace(run.plan, models=tuple(models), occluders=tuple(occluders)),
        outcomes=tuple(
            outcome for one in names for outcome in renamed(run.outcomes, one)
        ),
        verdicts=tuple(
            verdict for one in names for verdict in renamed(run.verdicts, one)
        ),
        intervals={
            key: found
            for one in names
            for key, found in renamed(dict(run.intervals), one).items()
        },
        models=tuple(
            model for name in models for model in renamed(run.models, {"ours": name})
        ),
        baseline=baseline,
    )


def nothing(run: RunRecord) -> RunRecord:
    """A run in which nothing was measured."""
    return replace(
        run,
        outcomes=(),
        verdicts=(),
        costs=(),
        breaking=(),
        counterfactuals=(),
        drift=(),
        datasets=(),
        layouts=(),
        intervals={},
        baseline=None,
        models=tuple(
            replace(model, tested=False, reason="no test of it was run or finished")
            for model in run.models
        ),
        failures=("nothing was measured",),
    )
