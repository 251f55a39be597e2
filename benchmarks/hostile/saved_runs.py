"""Saved runs that were changed by hand or by chance: refused, or judged as before;
never greener.
"""

from __future__ import annotations

import copy
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .children import Ended, in_children, run_pytest
from .mutations import mutated, mutated_json
from .projects import TOY, project
from .trials import Check, Ground, Row, Trial

_FAILING = """\
[[gate]]
level = 0.2
recall = { 1 = 0.97 }
[[gate]]
level = 0.1
recall = { 1 = 0.97 }
"""
_OPTIONS = (*TOY[:2], "--robust-levels=0.1,0.2", *TOY[3:], "gate")
Edit = Callable[[Any], object]
"""Changes what it is given; what it returns is not looked at."""
Arrays = dict[str, Any]


def rows(ground: Ground) -> Iterator[Trial]:
    home = project(ground.place("failing"), policy=_FAILING)
    ended = run_pytest(
        home, (*_OPTIONS, "--robust-models=toy,toy-second", "--robust-results=R")
    )
    if not ended.last_line.startswith("RELEASE GATE: FAILED"):
        yield Trial("the run that fails honestly", f"{ended.last_line}: {ended.end}")
        return
    checks: list[tuple[str, Check]] = [
        ("unchanged", partial(_judged, home, lambda _: None))
    ]
    checks += [
        (name, partial(_judged, home, partial(_edit_json, edit)))
        for name, edit in _json_edits().items()
    ]
    checks += [
        (name, partial(_judged, home, partial(_edit_arrays, edit)))
        for name, edit in _array_edits().items()
    ]
    checks += [
        (name, partial(_judged, home, damage)) for name, damage in _DAMAGES.items()
    ]
    yield from in_children(ground.some(checks, 10), chunk=5)
    count = ground.count(2_400, 30)
    fuzzed = [
        (f"fuzzed {number}", partial(_fuzzed, ground, home, number))
        for number in range(count)
    ]
    yield from in_children(fuzzed, chunk=100)


def _judged(home: Path, change: Edit) -> str | None:
    """Judge a changed copy of the run that fails: it must not pass."""
    folder = home / f"changed-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(home / "R", folder)
    change(folder)
    return _never_greener(_replayed(home, folder))


def _replayed(home: Path, folder: Path) -> Ended:
    """`--robust-replay` within this process, which has imported everything."""
    import pytest

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.chdir(home)
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        arguments = [
            "-p",
            "retrieval_robust",
            "gate",
            f"--robust-replay={folder}",
            "-p",
            "no:cacheprovider",
        ]
        status = int(pytest.main(arguments))
    return Ended(status, printed.getvalue())


def _never_greener(ended: Ended) -> str | None:
    for word in ("INTERNALERROR", "Traceback (most recent call last)"):
        if word in ended.output:
            return f"{word} in the output: {ended.end}"
    if ended.status == 0 or "PASSED" in ended.last_line:
        return f"greener: status {ended.status}, {ended.last_line}"
    if ended.status not in (1, 4):
        return f"status {ended.status}: {ended.end}"
    return None


def _fuzzed(ground: Ground, home: Path, number: int) -> str | None:
    rng = ground.random("saved", number)

    def change(folder: Path) -> None:
        if number % 3 == 0:
            file = folder / "run.json"
            data = mutated_json(json.loads(file.read_text()), rng)
            file.write_text(json.dumps(data))
        else:
            file = folder / ("run.json" if number % 3 == 1 else "ranks.npz")
            file.write_bytes(mutated(file.read_bytes(), rng))

    return _judged(home, change)


def _edit_json(edit: Edit, folder: Path) -> None:
    file = folder / "run.json"
    data = json.loads(file.read_text())
    edit(data)
    file.write_text(json.dumps(data))


def _edit_arrays(edit: Edit, folder: Path) -> None:
    """Change the ranks, and correct their digest in run.json as a careful hand would."""
    import hashlib

    file = folder / "ranks.npz"
    with np.load(file) as opened:
        arrays: Arrays = {name: opened[name] for name in opened.files}
    edit(arrays)
    np.savez_compressed(file, **arrays)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    _edit_json(lambda data: data["run"].update(ranks_sha256=digest), folder)


# Edits by hand. Each is one that would make the run pass, or a check silent, were it believed.


def _hidden(data: Any) -> list[Any]:
    return [outcome for outcome in data["outcomes"] if outcome["case"]["level"] > 0]


def _clean(data: Any) -> list[Any]:
    return [outcome for outcome in data["outcomes"] if outcome["case"]["level"] == 0]


def _raise_recall(data: Any) -> None:
    for outcome in _hidden(data):
        for direction in ("image-to-report", "report-to-image"):
            scores = outcome[direction]
            scores["recall"] = dict.fromkeys(scores["recall"], 1.0)


def _and(*edits: Edit) -> Edit:
    def all_of_them(data: Any) -> None:
        for edit in edits:
            edit(data)

    return all_of_them


def _of_hidden(**values: Any) -> Edit:
    return lambda data: [outcome.update(values) for outcome in _hidden(data)]


def _without(key: str) -> Edit:
    return lambda data: [outcome.pop(key, None) for outcome in data["outcomes"]]


def _of_run(**values: Any) -> Edit:
    return lambda data: data["run"].update(values)


def _copy_clean(whole: bool) -> Edit:
    """Level 0's outcome stands for the hidden ones: all of it, or all but its name."""

    def edit(data: Any) -> None:
        for outcome in _hidden(data):
            source = next(
                one
                for one in _clean(data)
                if one["case"]["model"] == outcome["case"]["model"]
            )
            kept = copy.deepcopy(outcome["case"])
            kept_key = outcome.get("ranks_key")
            outcome.clear()
            outcome.update(copy.deepcopy(source))
            outcome["case"] = kept
            if not whole:
                outcome["ranks_key"] = kept_key

    return edit


def _exchange_levels(data: Any) -> None:
    for outcome in data["outcomes"]:
        level = outcome["case"]["level"]
        outcome["case"]["level"] = 0.2 if level == 0 else 0.0 if level == 0.2 else level


def _exchange_keys(data: Any) -> None:
    for outcome in _hidden(data):
        outcome["ranks_key"] = _clean(data)[0]["ranks_key"]


def _rename(kind: str, old: str, new: str) -> Edit:
    """A cell under another name, everywhere that the name stands."""

    def edit(data: Any) -> None:
        text = json.dumps(data).replace(f'"{kind}": "{old}"', f'"{kind}": "{new}"')
        data.clear()
        data.update(json.loads(text))

    return edit


def _drop_hidden(data: Any) -> None:
    data["outcomes"] = _clean(data)


def _drop_from_plan(data: Any) -> None:
    _drop_hidden(data)
    data["run"]["plan"]["levels"] = [0.0]


def _drop_model(data: Any) -> None:
    data["outcomes"] = [
        one for one in data["outcomes"] if one["case"]["model"] != "toy"
    ]
    data["models"] = [one for one in data["models"] if one["name"] != "toy"]


def _set_queries(count: int) -> Edit:
    def edit(data: Any) -> None:
        _raise_recall(data)
        for outcome in data["outcomes"]:
            for direction in ("image-to-report", "report-to-image"):
                outcome[direction]["queries"] = count

    return edit


def _drop_k(data: Any) -> None:
    for outcome in data["outcomes"]:
        for direction in ("image-to-report", "report-to-image"):
            outcome[direction]["recall"].pop("1", None)


def _json_edits() -> Mapping[str, Edit]:
    silent = {
        "ranks_key null": _of_hidden(ranks_key=None),
        "ranks_key absent": _without("ranks_key"),
        "ranks_key of nothing": _of_hidden(ranks_key="0" * 24),
        "ranks_key of level 0": _exchange_keys,
        "no queries": _set_queries(0),
        "one query": _set_queries(1),
        "other queries": _set_queries(119),
        "ranks digest null": _of_run(ranks_sha256=None),
        "schema 0": lambda data: data.update(schema_version=0),
        "nothing else": lambda _: None,
    }
    edits: dict[str, Edit] = {
        f"recall 1.0, {name}": _and(_raise_recall, edit)
        for name, edit in silent.items()
    }
    for key in ("outcomes", "models", "datasets", "verdicts", "curves"):
        edits[f"no {key}"] = lambda data, key=key: data.update({key: []})  # type: ignore[misc]
        edits[f"{key} absent"] = lambda data, key=key: data.pop(key, None)  # type: ignore[misc]
    for key in (
        "plan",
        "partial",
        "limit",
        "ranks_sha256",
        "gates_sha256",
        "id",
        "broken",
        "failures",
    ):
        edits[f"run.{key} absent"] = lambda data, key=key: data["run"].pop(key, None)  # type: ignore[misc]
    return {
        **edits,
        "level 0 copied": _copy_clean(whole=True),
        "level 0 copied, keys kept": _copy_clean(whole=False),
        "levels exchanged": _exchange_levels,
        "model renamed to another": _rename("model", "toy", "toy-third"),
        "models exchanged": _and(
            _rename("model", "toy", "x"),
            _rename("model", "toy-second", "toy"),
            _rename("model", "x", "toy-second"),
        ),
        "data set renamed": _rename("dataset", "toy-set", "toy-ten"),
        "occluder renamed": _rename("occluder", "patches", "box"),
        "hidden cells dropped": _drop_hidden,
        "hidden cells dropped, from the plan too": _drop_from_plan,
        "the failing model dropped": _drop_model,
        "k dropped": _drop_k,
        "partial": _and(_drop_hidden, _of_run(partial="-k")),
        "limit": _and(_raise_recall, _of_run(limit=10)),
        "recall above 1": (
            lambda data: _hidden(data)[0]["image-to-report"]["recall"].update(
                {"1": 1.5}
            )
        ),
        "recall null": (
            lambda data: _hidden(data)[0]["image-to-report"]["recall"].update(
                {"1": None}
            )
        ),
        "recall true": (
            lambda data: _hidden(data)[0]["image-to-report"]["recall"].update(
                {"1": True}
            )
        ),
        "chance 0": (
            lambda data: _hidden(data)[0]["image-to-report"]["chance"].update(
                {"1": 0.0}
            )
        ),
        "a cell twice": (
            lambda data: data["outcomes"].append(copy.deepcopy(data["outcomes"][-1]))
        ),
        "verdicts changed": lambda data: [
            one.update(verdict="pass") for one in data["verdicts"]
        ],
        "failures emptied, verdicts changed": _and(
            _of_run(failures=[]),
            lambda data: [one.update(verdict="pass") for one in data["verdicts"]],
        ),
    }


def _array_edits() -> Mapping[str, Edit]:
    def ones(arrays: Arrays) -> None:
        for name in arrays:
            if name.endswith("_ranks"):
                arrays[name] = np.ones_like(arrays[name])

    def of_ranks(change: Callable[[Any], Any]) -> Edit:
        def edit(arrays: Arrays) -> None:
            for name in arrays:
                if name.endswith("_ranks"):
                    arrays[name] = change(arrays[name])

        return edit

    return {
        "ranks of 1": ones,
        "ranks of 0": of_ranks(lambda ranks: ranks * 0),
        "negative ranks": of_ranks(lambda ranks: -ranks),
        "ranks beyond the gallery": of_ranks(lambda ranks: ranks + 10_000),
        "float ranks": of_ranks(lambda ranks: ranks.astype(float)),
        "NaN ranks": of_ranks(lambda ranks: np.full(len(ranks), np.nan)),
        "text ranks": of_ranks(lambda ranks: ranks.astype(str)),
        "ranks of two dimensions": of_ranks(lambda ranks: ranks[:, None]),
        "no ranks": of_ranks(lambda ranks: ranks[:0]),
        "ranks too few": of_ranks(lambda ranks: ranks[:-1]),
        "a scalar": of_ranks(lambda ranks: ranks[0]),
        "exchanged": lambda arrays: arrays.update(
            zip(list(arrays), list(arrays.values())[::-1], strict=True)
        ),
        "empty": lambda arrays: arrays.clear(),
        "no query keys": lambda arrays: [
            arrays.pop(name) for name in list(arrays) if "query_key" in name
        ],
        "no clusters": lambda arrays: [
            arrays.pop(name) for name in list(arrays) if "cluster" in name
        ],
        "boolean ranks": of_ranks(lambda ranks: ranks > 0),
    }


def _text_in(name: str, content: str) -> Edit:
    return lambda folder: (folder / name).write_text(content)


def _npz_of(
    members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED
) -> Edit:
    def change(folder: Path) -> None:
        with zipfile.ZipFile(folder / "ranks.npz", "w", compression) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        import hashlib

        digest = hashlib.sha256((folder / "ranks.npz").read_bytes()).hexdigest()
        _edit_json(lambda data: data["run"].update(ranks_sha256=digest), folder)

    return change


def _npy(shape: str, descr: str = "<i8") -> bytes:
    header = (
        f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(
            117
        )
        + b"\n"
    )
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def _replaced(name: str, make: Edit) -> Edit:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return change


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


_DAMAGES: Mapping[str, Edit] = {
    "run.json empty": _text_in("run.json", ""),
    "run.json a list": _text_in("run.json", "[]"),
    "run.json a number": _text_in("run.json", "1"),
    "run.json deep": _text_in("run.json", "[" * 200_000),
    "run.json deep, closed": _text_in(
        "run.json", '{"a":' * 50_000 + "1" + "}" * 50_000
    ),
    "run.json with NaN": _text_in("run.json", '{"schema_version": NaN}'),
    "run.json with a huge number": _text_in(
        "run.json", '{"schema_version": ' + "9" * 6_000 + "}"
    ),
    "run.json of another version": _text_in("run.json", '{"schema_version": 99}'),
    "run.json a FIFO": _replaced("run.json", os.mkfifo),
    "run.json a loop": _replaced("run.json", _loop),
    "run.json a folder": _replaced("run.json", os.mkdir),
    "run.json without end": _replaced("run.json", _to_zero),
    "ranks.npz missing": lambda folder: (folder / "ranks.npz").unlink(),
    "ranks.npz a FIFO": _replaced("ranks.npz", os.mkfifo),
    "ranks.npz a loop": _replaced("ranks.npz", _loop),
    "ranks.npz a folder": _replaced("ranks.npz", os.mkdir),
    "ranks.npz without end": _replaced("ranks.npz", _to_zero),
    "ranks.npz claims terabytes": _npz_of(
        {"a/image_ranks.npy": _npy("(1000000000000,)")}
    ),
    "ranks.npz a bomb": _npz_of(
        {"a/image_ranks.npy": _npy("(250000000,)") + bytes(2_000_000_000)},
        zipfile.ZIP_DEFLATED,
    ),
    "ranks.npz of objects": _npz_of(
        {"a/image_ranks.npy": _npy("(1,)", "|O") + b"cposix\nsystem\n(S'true'\ntR."}
    ),
    "ranks.npz of texts": _npz_of(
        {"a/image_ranks.npy": _npy("(1,)", "<U4") + bytes(16)}
    ),
    "ranks.npz without a member": _npz_of({}),
    "ranks.npz with a foreign member": _npz_of({"../../x": b"x"}),
}


ROWS = (
    Row(
        "saved-runs",
        "saved runs that were changed: refused or judged alike, never greener",
        rows,
    ),
)
