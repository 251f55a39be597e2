"""A saved run: `run.json` and `ranks.npz`. Neither can hold an image, a report's text or a patient's id."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cache import whole_file
from ..case import DIRECTIONS, Direction, Json, finite
from ..foreign import FOREIGN
from ..options import slug
from ..saved import SCHEMA_VERSION
from ..store import dataset_key
from . import ReportEntry
from .breaking import save_map

if TYPE_CHECKING:
    from ..catalogue import Catalogue
    from ..curve import Curve
    from ..judgement import BaselineRecord, Interval, RunRecord
    from ..store import RunStore


def register(catalogue: Catalogue[ReportEntry]) -> None:
    catalogue.add(ReportEntry("json", "the run, as run.json", render_json))


def render_json(run: RunRecord) -> str:
    """`run.json`: that of `--robust-results`, to the byte, where it was written."""
    return _text(run_as_json(run)) if run.results is None else (run.results / "run.json").read_text(encoding="utf-8")


def _text(data: Json) -> str:
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def run_as_json(run: RunRecord, ranks_sha256: str | None = None) -> Json:
    """The run as `run.schema.json` describes it: no NaN, and a reason beside every null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run": {
            "id": run.identity.id,
            "started": run.identity.started,
            "version": run.identity.version,
            "command": run.scope.command,
            "host": host_of(run),
            "gates_sha256": run.gates_sha256,
            "policy": list(run.policy),
            "ranks_sha256": ranks_sha256,
            "limit": run.limit,
            "partial": run.scope.partial,
            "plan": run.plan.as_json(),
            "replayed": run.replayed,
            "status": run.release.status.value,
            "failures": list(run.failures),
            "warnings": list(run.warnings),
            "broken": list(run.broken),
            "broken_tests": run.broken_tests,
        },
        "models": [model.as_json() for model in run.models],
        "datasets": list(run.datasets),
        "outcomes": [outcome.as_json() for outcome in run.outcomes],
        "costs": [cost.as_json() for cost in run.costs],
        "breaking": [found.as_json() for found in run.breaking],
        "curves": [_curve(run, curve, direction) for curve in run.curves for direction in DIRECTIONS],
        "layouts": [found.as_json() for found in run.layouts],
        "baseline": None if run.baseline is None else _baseline(run.baseline),
        "verdicts": [verdict.as_json() for verdict in run.verdicts],
    }


def _curve(run: RunRecord, curve: Curve, direction: Direction) -> Json:
    """The curve with the 95 % interval of each of its numbers, null where ranks are missing."""
    data = curve.as_json(direction)
    ks = sorted(curve.clean.scores(direction).recall)
    found = {k: run.intervals.get((curve.clean.case, direction, k)) for k in ks}
    for name in ("auc", "half_level", "slope"):
        known = {k: None if of_k is None else getattr(of_k, name) for k, of_k in found.items()}
        data[f"{name}_interval"] = {str(k): None if one is None else _ends(one) for k, one in known.items()}
    data["retention_interval"] = {
        str(k): None if of_k is None else {f"{level:g}": _ends(one) for level, one in of_k.retention.items()}
        for k, of_k in found.items()
    }
    return data


def _ends(interval: Interval) -> list[float | None]:
    return [finite(interval.low), finite(interval.high)]


def _baseline(baseline: BaselineRecord) -> Json:
    return {
        "id": baseline.id,
        "started": baseline.started,
        "version": baseline.version,
        "obstacles": list(baseline.obstacles),
        "vanished": list(baseline.vanished),
        "cells": [cell.as_json() for cell in baseline.cells],
    }


def host_of(run: RunRecord) -> Json:
    """What the run was measured on: this machine, unless it was saved before."""
    return run.identity.host or _host()


def _host() -> Json:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        **_libraries(),
    }


def _libraries() -> Json:
    """Versions and the GPU; null where a time-out struck while one was imported, after which it cannot be any more."""
    try:
        import torch
        import transformers

        gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    except FOREIGN:
        return {"torch": None, "transformers": None, "gpu": None}
    return {"torch": torch.__version__, "transformers": transformers.__version__, "gpu": gpu}


def save_run(run: RunRecord, store: RunStore, folder: Path, replayed: Path | None = None) -> None:
    """Write both files, each whole or not at all; `OSError` where the folder cannot be written.

    The ranks of a run that is judged again are those of the folder that it was `replayed` from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if replayed is None:
        _write(folder / "ranks.npz", lambda path: _save_arrays(path, _arrays(run, store)))
    else:
        _write(folder / "ranks.npz", lambda path: shutil.copyfile(replayed / "ranks.npz", path))
    digest = hashlib.sha256((folder / "ranks.npz").read_bytes()).hexdigest()
    for found in run.breaking:
        picture = folder / f"sensitivity-{slug(found.model)}-{slug(found.dataset)}.png"
        _write(picture, partial(save_map, found.sensitivity))
    text = _text(run_as_json(run, digest))
    _write(folder / "run.json", lambda path: path.write_text(text, encoding="utf-8"))


def _write(path: Path, write: Any) -> None:
    with whole_file(path) as part:
        write(part)


def _save_arrays(path: Path, arrays: dict[str, Any]) -> None:
    import numpy as np

    with path.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def _arrays(run: RunRecord, store: RunStore) -> dict[str, Any]:
    """`<ranks_key>/image_ranks` and `/report_ranks` per case; `<data set>/...query_key` and `/...cluster` per data set;
    `<arrays_key>/breaking_mask`, `/rank_before`, `/rank_after` and `/image_query_key` per search."""
    named = {outcome.ranks_key: outcome.ranks_key for outcome in run.outcomes if outcome.ranks_key is not None}
    named.update({found.arrays_key: found.arrays_key for found in run.breaking if found.arrays_key is not None})
    named.update({dataset_key(dataset["name"]): dataset["name"] for dataset in run.datasets})
    return {f"{shown}/{name}": array for key, shown in named.items() for name, array in (store.load(key) or {}).items()}
