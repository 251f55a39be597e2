"""Edits of a saved run's numbers by hand, and how an edit is made."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Edit = Callable[[Any], object]
"""Changes what it is given; what it returns is ignored."""
Arrays = dict[str, Any]


def edit_json(edit: Edit, folder: Path) -> None:
    file = folder / "run.json"
    data = json.loads(file.read_text())
    edit(data)
    file.write_text(json.dumps(data))


def edit_arrays(edit: Edit, folder: Path) -> None:
    """Change the ranks, and correct their digest in run.json as a careful hand would."""
    file = folder / "ranks.npz"
    with np.load(file) as opened:
        arrays: Arrays = {name: opened[name] for name in opened.files}
    edit(arrays)
    np.savez_compressed(file, **arrays)
    correct_digest(folder)


def correct_digest(folder: Path) -> None:
    """Let run.json name the digest of the ranks as they are."""
    digest = hashlib.sha256((folder / "ranks.npz").read_bytes()).hexdigest()
    edit_json(lambda data: data["run"].update(ranks_sha256=digest), folder)


# Each is one that would make the run pass, or a check silent, were it believed.


def _hidden(data: Any) -> list[Any]:
    return [outcome for outcome in data["outcomes"] if outcome["case"]["level"] > 0]


def _clean(data: Any) -> list[Any]:
    return [outcome for outcome in data["outcomes"] if outcome["case"]["level"] == 0]


def _raise_recall(data: Any) -> None:
    for outcome in _hidden(data):
        for direction in ("image-to-report", "report-to-image"):
            scores = outcome[direction]
            scores["recall"] = dict.fromkeys(scores["recall"], 1.0)


def _in_order(*edits: Edit) -> Edit:
    def edit_in_order(data: Any) -> None:
        for edit in edits:
            edit(data)

    return edit_in_order


def _of_hidden(**values: Any) -> Edit:
    return lambda data: [outcome.update(values) for outcome in _hidden(data)]


def _of_first_scores(name: str, value: Any) -> Edit:
    """Another value at k = 1, in the first hidden cell."""

    def edit(data: Any) -> None:
        scores = _hidden(data)[0]["image-to-report"]
        scores[name]["1"] = value

    return edit


def _without(key: str) -> Edit:
    return lambda data: [outcome.pop(key, None) for outcome in data["outcomes"]]


def _of_run(**values: Any) -> Edit:
    return lambda data: data["run"].update(values)


def _copy_clean(whole: bool) -> Edit:
    """Level 0's outcome stands for the hidden ones: all of it, or all but its name."""

    def edit(data: Any) -> None:
        for outcome in _hidden(data):
            model = outcome["case"]["model"]
            of_model = [
                clean for clean in _clean(data) if clean["case"]["model"] == model
            ]
            own_case = copy.deepcopy(outcome["case"])
            own_key = outcome.get("ranks_key")
            outcome.clear()
            outcome.update(copy.deepcopy(of_model[0]))
            outcome["case"] = own_case
            if not whole:
                outcome["ranks_key"] = own_key

    return edit


def _exchange_levels(data: Any) -> None:
    exchanged = {0.0: 0.2, 0.2: 0.0}
    for outcome in data["outcomes"]:
        level = outcome["case"]["level"]
        outcome["case"]["level"] = exchanged.get(level, level)


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
        outcome for outcome in data["outcomes"] if outcome["case"]["model"] != "toy"
    ]
    data["models"] = [model for model in data["models"] if model["name"] != "toy"]


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


def json_edits() -> Mapping[str, Edit]:
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
        f"recall 1.0, {name}": _in_order(_raise_recall, edit)
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
        "models exchanged": _in_order(
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
        "partial": _in_order(_drop_hidden, _of_run(partial="-k")),
        "limit": _in_order(_raise_recall, _of_run(limit=10)),
        "recall above 1": _of_first_scores("recall", 1.5),
        "recall null": _of_first_scores("recall", None),
        "recall true": _of_first_scores("recall", True),
        "chance 0": _of_first_scores("chance", 0.0),
        "a cell twice": (
            lambda data: data["outcomes"].append(copy.deepcopy(data["outcomes"][-1]))
        ),
        "verdicts changed": lambda data: [
            verdict.update(verdict="pass") for verdict in data["verdicts"]
        ],
        "failures emptied, verdicts changed": _in_order(
            _of_run(failures=[]),
            lambda data: [
                verdict.update(verdict="pass") for verdict in data["verdicts"]
            ],
        ),
    }


def array_edits() -> Mapping[str, Edit]:
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
