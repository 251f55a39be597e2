"""A saved run: `run.json` and `ranks.npz`. Neither can hold an image, a report's text or a patient's id."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..case import DIRECTIONS, Json
from ..options import slug
from .breaking import save_map

if TYPE_CHECKING:
    from ..store import RunStore
    from ..summary import RunRecord

SCHEMA_VERSION = 1
SCHEMA_FILE = Path(__file__).parent / "run.schema.json"


def run_as_json(run: RunRecord) -> Json:
    """The run as `run.schema.json` describes it: no NaN, and a reason beside every null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run": {
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": __version__,
            "command": run.scope.command,
            "host": _host(),
            "gates_sha256": run.gates_sha256,
            "limit": run.limit,
            "partial": run.scope.partial,
            "failures": list(run.failures),
            "warnings": list(run.warnings),
        },
        "models": [model.as_json() for model in run.models],
        "datasets": [{key: value for key, value in dataset.items() if key != "keys"} for dataset in run.datasets],
        "outcomes": [outcome.as_json() for outcome in run.outcomes],
        "costs": [cost.as_json() for cost in run.costs],
        "breaking": [found.as_json() for found in run.breaking],
        "curves": [curve.as_json(direction) for curve in run.curves for direction in DIRECTIONS],
        "verdicts": [verdict.as_json() for verdict in run.verdicts],
    }


def _host() -> Json:
    import torch
    import transformers

    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def save_run(run: RunRecord, store: RunStore, folder: Path) -> None:
    """Write both files, each whole or not at all; `OSError` where the folder cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "ranks.npz", lambda path: _save_arrays(path, _arrays(run, store)))
    for found in run.breaking:
        picture = folder / f"sensitivity-{slug(found.model)}-{slug(found.dataset)}.png"
        _write(picture, partial(save_map, found.sensitivity))
    text = json.dumps(run_as_json(run), indent=1, allow_nan=False)
    _write(folder / "run.json", lambda path: path.write_text(text + "\n", encoding="utf-8"))


def _write(path: Path, write: Any) -> None:
    part = path.with_name(f"{path.name}.part")
    write(part)
    part.replace(path)


def _save_arrays(path: Path, arrays: dict[str, Any]) -> None:
    import numpy as np

    with path.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def _arrays(run: RunRecord, store: RunStore) -> dict[str, Any]:
    """`<ranks_key>/image_ranks` and `/report_ranks` per case; `<data set>/...query_key` and `/cluster` per data set;
    `<arrays_key>/breaking_mask`, `/rank_before`, `/rank_after` and `/image_query_key` per search."""
    named = {outcome.ranks_key: outcome.ranks_key for outcome in run.outcomes if outcome.ranks_key is not None}
    named.update({found.arrays_key: found.arrays_key for found in run.breaking if found.arrays_key is not None})
    named.update({dataset["keys"]: dataset["name"] for dataset in run.datasets})
    return {f"{shown}/{name}": array for key, shown in named.items() for name, array in (store.load(key) or {}).items()}
