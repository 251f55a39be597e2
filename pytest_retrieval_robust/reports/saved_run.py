"""A saved run: `run.json` and `ranks.npz`. Neither can hold an image, a report's text
or a patient's id.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.atomic_files import part_of, parts_in, remove_abandoned
from ..core.cases import DIRECTIONS, Direction, Json
from ..core.files import open_regular
from ..core.foreign import FOREIGN
from ..core.names import slug
from ..core.outcomes import finite
from ..gate.arrays import dataset_key
from . import ReportEntry
from .breaking import save_map
from .saved.arrays import RANKS_FILE, digest_of, is_kept_name, kept_name, open_ranks
from .saved.read import RUN_FILE, SCHEMA_VERSION, content_digest, read_run_json

if TYPE_CHECKING:
    from ..core.catalogue import Catalogue
    from ..gate.arrays import RunStore
    from ..gate.curve_intervals import Interval
    from ..gate.record import BaselineRecord, RunRecord
    from ..retrieval.curve import Curve


def register(catalogue: Catalogue[ReportEntry]) -> None:
    catalogue.add(ReportEntry("json", "the run, as run.json", render_json))


def render_json(run: RunRecord) -> str:
    """`run.json`: that of `--robust-results`, to the byte, where it was written."""
    return (
        _text(run_as_json(run))
        if run.results is None
        else (run.results / RUN_FILE).read_text(encoding="utf-8")
    )


def _text(data: Json) -> str:
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def run_as_json(run: RunRecord, ranks_sha256: str | None = None) -> Json:
    """The run as `run.schema.json` describes it: no NaN, and a reason beside every null."""
    data = _printable(_content(run, ranks_sha256))
    data["run"]["content_sha256"] = content_digest(data)
    return data


def _printable(data: Json) -> Json:
    """The same, without halves of surrogate pairs, which names of files may hold and no
    output can.
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        replaced: Json = json.loads(text.encode(errors="replace"))
        return replaced
    return data


def _content(run: RunRecord, ranks_sha256: str | None) -> Json:
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
        "curves": [
            _curve(run, curve, direction)
            for curve in run.curves
            for direction in DIRECTIONS
        ],
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
        known = {
            k: None if of_k is None else getattr(of_k, name)
            for k, of_k in found.items()
        }
        data[f"{name}_interval"] = {
            str(k): None if one is None else _ends(one) for k, one in known.items()
        }
    data["retention_interval"] = {
        str(k): (
            None
            if of_k is None
            else {f"{level:g}": _ends(one) for level, one in of_k.retention.items()}
        )
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
    """Versions and the GPU; null where a time-out struck while one was imported, after
    which it cannot be any more.
    """
    try:
        import torch
        import transformers

        gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    except FOREIGN:
        return {"torch": None, "transformers": None, "gpu": None}
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "gpu": gpu,
    }


def save_run(
    run: RunRecord, store: RunStore, folder: Path, replayed: Path | None = None
) -> None:
    """Write both files; `OSError` where that cannot be done, and then an older run is still there.

    The ranks of a run that is judged again are those of the folder that it was `replayed` from.

    Everything is written under other names first, and then moved to its place. Two
    files cannot be moved at once. So the older run's ranks stay under a second name
    until its `run.json` is replaced too: whenever the process is killed, `run.json`
    finds the ranks that it speaks of.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_abandoned(parts_in(folder))
    maps = {
        folder / f"sensitivity-{slug(one.model)}-{slug(one.dataset)}.png": (
            one.sensitivity
        )
        for one in run.breaking
    }
    parts = {
        path: part_of(path) for path in (folder / RANKS_FILE, folder / RUN_FILE, *maps)
    }
    try:
        ranks = parts[folder / RANKS_FILE]
        if replayed is None:
            _save_arrays(ranks, _arrays(run, store))
        else:
            _copy_ranks(replayed, ranks)
        with open_regular(ranks) as stream:
            digest = digest_of(stream)
        parts[folder / RUN_FILE].write_text(
            _text(run_as_json(run, digest)), encoding="utf-8"
        )
        for path, sensitivity in maps.items():
            save_map(sensitivity, parts[path])
        for part in parts.values():
            _keep(part)
        with _one_at_a_time(folder):
            _put_in_place(parts, folder)
    finally:
        for part in (
            parts.values()
        ):  # those that were not moved: an interrupt may come at any time
            with suppress(OSError):
                part.unlink()


def _copy_ranks(replayed: Path, target: Path) -> None:
    expected: str = read_run_json(replayed)["run"]["ranks_sha256"]
    with closing(open_ranks(replayed, expected)) as source, target.open("wb") as stream:
        shutil.copyfileobj(source, stream)


def _keep(part: Path) -> None:
    """Have a file on the disk before its name says so: a machine may lose its power as well."""
    with part.open("rb") as stream:
        try:
            os.fsync(stream.fileno())
        except OSError as error:
            if error.errno not in (
                errno.EINVAL,
                errno.ENOTSUP,
                errno.EBADF,
            ):  # some file systems have no such thing
                raise


def _put_in_place(parts: Mapping[Path, Path], folder: Path) -> None:
    ranks, text = folder / RANKS_FILE, folder / RUN_FILE
    older = _put_aside(ranks)
    try:
        parts[ranks].replace(ranks)
        parts[text].replace(text)
    except BaseException:
        if parts[text].exists():  # the older run.json is still the one
            _put_back(older, ranks)
        raise
    for path, part in parts.items():
        if path not in (ranks, text):
            part.replace(path)
    with suppress(OSError):
        for path in folder.iterdir():
            if is_kept_name(path.name):
                path.unlink()


def _put_aside(ranks: Path) -> Path | None:
    """Give the ranks that are there a second name, by which their `run.json` finds
    them; None where there are none.
    """
    try:
        with open_regular(ranks) as stream:
            kept = ranks.with_name(kept_name(digest_of(stream)))
    except FileNotFoundError:
        return None
    if kept.exists():
        return kept
    try:
        os.link(ranks, kept)
    except OSError:  # no file system has to know second names
        ranks.replace(kept)
    return kept


def _put_back(older: Path | None, ranks: Path) -> None:
    with suppress(OSError):
        if older is None:
            ranks.unlink()
        else:
            older.replace(ranks)
            older.unlink(
                missing_ok=True
            )  # a file is not moved to another name of itself


_PATIENCE = 5.0
"""Seconds in which another run, that writes to the same folder, is waited for."""


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Keep two runs that end together from mixing their files, where the file system
    knows locks.
    """
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.05)
            except OSError:
                break
        yield
    finally:
        os.close(descriptor)


def _save_arrays(path: Path, arrays: dict[str, Any]) -> None:
    import numpy as np

    with path.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def _arrays(run: RunRecord, store: RunStore) -> dict[str, Any]:
    """`<ranks_key>/image_ranks` and `/report_ranks` per case; `<data set>/...query_key`
    and `/...cluster` per data set; `<arrays_key>/breaking_mask`, `/rank_before`,
    `/rank_after` and `/image_query_key` per search.
    """
    named = {
        outcome.ranks_key: outcome.ranks_key
        for outcome in run.outcomes
        if outcome.ranks_key is not None
    }
    named.update(
        {
            found.arrays_key: found.arrays_key
            for found in run.breaking
            if found.arrays_key is not None
        }
    )
    named.update(
        {dataset_key(dataset["name"]): dataset["name"] for dataset in run.datasets}
    )
    return {
        f"{shown}/{name}": array
        for key, shown in named.items()
        for name, array in (store.load(key) or {}).items()
    }
