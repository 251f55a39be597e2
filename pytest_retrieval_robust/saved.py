"""Reading a saved run, as `--robust-results` wrote it: `run.json` and `ranks.npz`. Nothing heavier than numpy."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .case import DIRECTIONS, BreakingOutcome, CostMeasurement, Json, ModelRecord, Outcome, Plan
from .comparison import Run
from .errors import RobustError
from .evidence import Evidence
from .measurements import Identity, Measurements, Scope

SCHEMA_VERSION = 1
SCHEMA_FILE = Path(__file__).parent / "reports" / "run.schema.json"
_LONGEST = 200
_ROUNDING = 1e-9
_OF_A_DATASET = (
    "name",
    "split",
    "text",
    "relevance",
    "fingerprint",
    "pixel_digest",
    "skipped",
    "duplicate_share",
    "ceiling",
)


class SavedRunError(RobustError):
    """A saved run that is missing, damaged, or of another version."""


@dataclass(frozen=True, repr=False)
class SavedArrays:
    """The arrays of a `ranks.npz`."""

    arrays: Mapping[str, NDArray[np.int64]]

    def of_case(self, ranks_key: str) -> Mapping[str, NDArray[np.int64]] | None:
        return self._under(ranks_key)

    def of_dataset(self, name: str) -> Mapping[str, NDArray[np.int64]] | None:
        return self._under(name)

    def _under(self, folder: str) -> Mapping[str, NDArray[np.int64]] | None:
        return self._folders.get(folder)

    @cached_property
    def _folders(self) -> dict[str, dict[str, NDArray[np.int64]]]:
        found: dict[str, dict[str, NDArray[np.int64]]] = {}
        for name, array in self.arrays.items():
            folder, _, inner = name.rpartition("/")
            found.setdefault(folder, {})[inner] = array
        return found


def has_run(folder: Path) -> bool:
    """Whether a run was saved there."""
    return (folder / "run.json").is_file()


def load_run(folder: Path) -> Run:
    """The run that was saved in `folder`; `SavedRunError` says what is wrong with it and what to do."""
    data = _read_json(folder)
    _check_schema(data, folder)
    run = Run(_measurements(data), Evidence(SavedArrays(_read_arrays(folder, data["run"]["ranks_sha256"]))))
    _check_agreement(run, folder)
    return run


def _check_schema(data: Json, folder: Path) -> None:
    """Raise `SavedRunError` for the first place that is not as `run.schema.json` says."""
    wrong = _validator()(data)
    if wrong is not None:
        what = wrong.removeprefix("data").removeprefix(".")[:_LONGEST]
        raise SavedRunError(
            f"Expected a run as this version writes it, got {folder.name}/run.json, which breaks its schema: {what}. "
            "Make the run again."
        )


@cache
def _validator() -> Callable[[Json], str | None]:
    """What says where a run breaks the schema, or None."""
    from fastjsonschema import JsonSchemaValueException
    from fastjsonschema import compile as compile_schema

    checked = compile_schema(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))

    def wrong_in(data: Json) -> str | None:
        try:
            checked(data)
        except JsonSchemaValueException as error:
            return str(error.message)
        return None

    return wrong_in


def _check_agreement(run: Run, folder: Path) -> None:
    """Raise `SavedRunError` where k is missing, or a Recall@k is not that of the ranks: one of the two was changed."""
    twice = [case for case, count in Counter(one.case for one in run.measured.outcomes).items() if count > 1]
    if twice:
        raise SavedRunError(
            f"Expected each case once, got {twice[0]} more often in {folder.name}/run.json: it was changed. "
            "Make the run again."
        )
    for outcome, direction in product(run.measured.outcomes, DIRECTIONS):
        ranks, scores = run.evidence.ranks(outcome, direction), outcome.scores(direction)
        for numbers in (scores.recall, scores.recall_interval, scores.chance):
            if set(numbers) != set(run.measured.plan.ks):
                raise SavedRunError(
                    f"Expected numbers of {outcome.case} for each k of the run's plan ({run.measured.plan.ks}), got "
                    f"k={sorted(numbers)} in {folder.name}/run.json: it was changed. Make the run again."
                )
        if ranks is None:
            continue
        for k, recall in scores.recall.items():
            if recall is None or len(ranks) != scores.queries or abs(float((ranks <= k).mean()) - recall) > _ROUNDING:
                raise SavedRunError(
                    f"Expected the Recall@{k} of {outcome.case} that its ranks have, got recall={recall} in "
                    f"{folder.name}/run.json: one of the two files was changed. Make the run again."
                )


def _read_json(folder: Path) -> Json:
    try:
        text = (folder / "run.json").read_text(encoding="utf-8")
        data = json.loads(text, parse_constant=_refuse)
    except OSError as error:
        raise SavedRunError(
            f"Expected a folder that --robust-results wrote, got {str(folder)!r} without a readable run.json "
            f"({error.strerror}). Mend the path."
        ) from error
    except ValueError as error:
        raise SavedRunError(
            f"Expected a whole run.json in {folder.name}, got: {error}. It was cut off or changed: make the run again."
        ) from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if not isinstance(version, int):
        raise SavedRunError(
            f"Expected a saved run, got {folder.name}/run.json without a schema_version. Mend the path."
        )
    if version > SCHEMA_VERSION:
        raise SavedRunError(
            f"Expected a saved run of schema {SCHEMA_VERSION} or older, got schema_version={version} in {folder.name}. "
            "A newer version of pytest-retrieval-robust wrote it: install that one."
        )
    return data  # type: ignore[no-any-return]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} in place of a number")


def _measurements(data: Json) -> Measurements:
    run = data["run"]
    return Measurements(
        identity=Identity(run["id"], run["started"], run["version"], run["host"]),
        scope=Scope(run["partial"], run["command"]),
        limit=run["limit"],
        plan=Plan.from_json(run["plan"]),
        outcomes=tuple(map(Outcome.from_json, data["outcomes"])),
        costs=tuple(map(CostMeasurement.from_json, data["costs"])),
        breaking=tuple(map(BreakingOutcome.from_json, data["breaking"])),
        models=tuple(map(ModelRecord.from_json, data["models"])),
        datasets=tuple({**{key: dataset[key] for key in _OF_A_DATASET}, **dataset} for dataset in data["datasets"]),
        broken=tuple(run["broken"]),
        broken_tests=run["broken_tests"],
        notes=(),  # they speak of the machine that measured
    )


def _read_arrays(folder: Path, expected: str | None) -> Mapping[str, NDArray[np.int64]]:
    path = folder / "ranks.npz"
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if expected is not None and digest != expected:
            raise SavedRunError(
                f"Expected the ranks.npz that {folder.name}/run.json speaks of (sha256 {expected[:12]}...), got "
                f"another ({digest[:12]}...): it was cut off, changed or mixed with another run's. Take both files of "
                "one run."
            )
        with np.load(path, allow_pickle=False) as found:
            return {name: found[name] for name in found.files if "/breaking_" not in name}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise SavedRunError(
            f"Expected a whole ranks.npz in {folder.name}, got: {error}. It was cut off or is missing: make the run "
            "again."
        ) from error
