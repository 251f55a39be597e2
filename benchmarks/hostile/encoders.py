"""Encoders that misbehave: the numbers are those of an honest one, or the encoder is
refused in a sentence.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from pytest_retrieval_robust import encoder_from_callables, evaluate, load_occluder
from pytest_retrieval_robust.core.errors import RobustError

from .children import in_children
from .toy import SIDE, ToyDataset, ToyEncoder, image_rows, report_rows, unit
from .trials import Check, Ground, Row, Trial

LEVELS = (0, 0.1, 0.2)
_PAIRS, _BATCH = 60, 16
CANARY = "CANARY-TEXT"
Rows = Any
Change = Callable[["Honest", Any, Callable[[Any], Rows]], Rows]
"""What stands in for one call: the encoder, its input and the honest call."""


class Honest:
    """What the honest encoder computes, and room for what the misbehaving ones keep."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.calls = 0

    def images(self, pixels: Any) -> Any:
        tensor = torch.as_tensor(pixels)
        return unit(image_rows(tensor))

    def reports(self, texts: Sequence[str]) -> Any:
        return unit(torch.from_numpy(report_rows(texts)))


def _buffer(self: Honest, given: Any, honest: Callable[[Any], Rows]) -> Any:
    """One buffer for all batches."""
    rows = honest(given)
    held = self.kept.setdefault("buffer", torch.zeros(4096, rows.shape[1]))
    held[: len(rows)] = rows
    return held[: len(rows)]


def _transposed(self: Honest, given: Any, honest: Callable[[Any], Rows]) -> Any:
    """A view that is not contiguous, of a buffer that is used again."""
    rows = honest(given)
    held = self.kept.setdefault("wide", torch.zeros(rows.shape[1], 4096))
    held[:, : len(rows)] = rows.T
    return held[:, : len(rows)].T


def _read_only(_: Honest, given: Any, honest: Callable[[Any], Rows]) -> Any:
    rows = honest(given).numpy().copy()
    rows.flags.writeable = False
    return rows


def _numpy_buffer(self: Honest, given: Any, honest: Callable[[Any], Rows]) -> Any:
    rows = honest(given).numpy()
    held = self.kept.setdefault("numpy", np.zeros((4096, rows.shape[1]), np.float32))
    held[: len(rows)] = rows
    return held[: len(rows)]


def _changed_later(self: Honest, given: Any, honest: Callable[[Any], Rows]) -> Any:
    """The rows of the call before are set to zero."""
    rows = honest(given)
    if "before" in self.kept:
        self.kept["before"].zero_()
    self.kept["before"] = rows
    return rows


def _mutates(operation: Callable[[Any], Any], when: str = "after") -> Change:
    def change(_: Honest, given: Any, honest: Callable[[Any], Rows]) -> Any:
        if when == "before":
            operation(given)
            return honest(given)
        rows = honest(given).clone()
        operation(given)
        return rows

    return change


def _clears_list(_: Honest, given: Any, honest: Callable[[Any], Rows]) -> Any:
    rows = honest(list(given))
    if isinstance(given, list):
        given.clear()
    else:
        given.zero_() if isinstance(given, torch.Tensor) else given.fill(0)
    return rows


def _returns(value: Callable[[Rows], Any]) -> Change:
    return lambda _, given, honest: value(honest(given))


def _raises(error: Callable[[], BaseException]) -> Change:
    def change(*_: Any) -> Any:
        raise error()

    return change


def _does(action: Callable[[], Any]) -> Change:
    """Something to the whole process, and then honest rows."""

    def change(_: Honest, given: Any, honest: Callable[[Any], Rows]) -> Any:
        action()
        return honest(given)

    return change


def _row_set(value: float, every: bool = False) -> Callable[[Rows], Any]:
    def changed(rows: Any) -> Any:
        rows = rows.clone()
        rows[: len(rows) if every else 1] = value
        return rows

    return changed


def _fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _later_call(self: Honest, given: Any, honest: Callable[[Any], Rows]) -> Any:
    """Honest at first; another width from the third call on."""
    self.calls += 1
    rows = honest(given)
    return rows if self.calls < 3 else rows[:, :-1]


# Honest numbers must come of these: a refusal would be right too, but nothing else.
_NUMBERS: Mapping[str, Change] = {
    "one buffer": _buffer,
    "a view of one buffer": _transposed,
    "a numpy buffer": _numpy_buffer,
    "read-only rows": _read_only,
    "rows zeroed later": _changed_later,
    "input zeroed": _mutates(lambda given: given.__imul__(0)),
    "input normalised in place": _mutates(lambda given: given.__isub__(0.5)),
    "input filled": _mutates(lambda given: given.__setitem__(slice(None), 1)),
    "input cleared": _clears_list,
    "float64": _returns(lambda rows: rows.double()),
    "bfloat16": _returns(lambda rows: rows.bfloat16()),
    "with a gradient": _returns(lambda rows: rows.clone().requires_grad_()),
    "not of length 1": _returns(lambda rows: rows * 3),
    "a reversed view": _returns(lambda rows: torch.flip(torch.flip(rows, [0]), [0])),
    "numpy": _returns(lambda rows: rows.numpy()),
    "lists": _returns(lambda rows: rows.tolist()),
    "global seeds": _does(
        lambda: (torch.manual_seed(0), np.random.seed(0), random.seed(0))
    ),
    "default dtype": _does(lambda: torch.set_default_dtype(torch.float64)),
    "default device": _does(lambda: torch.set_default_device("meta")),
    "threads": _does(lambda: torch.set_num_threads(1)),
    "grad switched on": _does(lambda: torch.set_grad_enabled(True)),
    "deterministic": _does(lambda: torch.use_deterministic_algorithms(True)),
    "numpy errors raise": _does(lambda: np.seterr(all="raise")),
    "warnings are errors": _does(lambda: warnings.simplefilter("error")),
    "another folder": _does(lambda: os.chdir("/")),
    "a fork": _does(_fork),
    "a thread": _does(lambda: threading.Thread(target=lambda: None).start()),
    "recursion limit": _does(lambda: sys.setrecursionlimit(300)),
}
# These must be refused, with a sentence.
_REFUSED: Mapping[str, Change] = {
    "NaN in a row": _returns(_row_set(float("nan"))),
    "all NaN": _returns(_row_set(float("nan"), every=True)),
    "inf in a row": _returns(_row_set(float("inf"))),
    "a row of zeros": _returns(_row_set(0.0)),
    "all zeros": _returns(_row_set(0.0, every=True)),
    "all the same": _returns(_row_set(0.25, every=True)),
    "a row too few": _returns(lambda rows: rows[1:]),
    "a row too many": _returns(lambda rows: torch.cat([rows, rows[:1]])),
    "one dimension": _returns(lambda rows: rows.flatten()),
    "token rows": _returns(lambda rows: rows[:, None, :].repeat(1, 3, 1)),
    "no width": _returns(lambda rows: rows[:, :0]),
    "None": _returns(lambda _: None),
    "a text": _returns(lambda _: CANARY),
    "a dict": _returns(lambda rows: {"pooler_output": rows}),
    "an ordered dict": _returns(lambda rows: OrderedDict(last_hidden_state=rows)),
    "a tuple": _returns(lambda rows: (rows, rows)),
    "objects": _returns(
        lambda rows: np.array([[CANARY] * 16] * len(rows), dtype=object)
    ),
    "complex": _returns(lambda rows: torch.complex(rows, rows)),
    "meta": _returns(lambda rows: rows.to("meta")),
    "sparse": _returns(lambda rows: rows.to_sparse()),
    "quantised": _returns(
        lambda rows: torch.quantize_per_tensor(rows, 0.1, 0, torch.qint8)
    ),
    "another width later": _later_call,
    "ragged lists": _returns(
        lambda rows: [row.tolist()[: 1 + place % 3] for place, row in enumerate(rows)]
    ),
    "a generator": _returns(lambda rows: (row for row in rows)),
    "ValueError": _raises(lambda: ValueError(CANARY)),
    "KeyError": _raises(lambda: KeyError(CANARY)),
    "RuntimeError": _raises(lambda: RuntimeError(f"CUDA error: {CANARY}")),
    "SystemExit": _raises(lambda: SystemExit(0)),
    "StopIteration": _raises(lambda: StopIteration(CANARY)),
    "RecursionError": _raises(lambda: RecursionError(CANARY)),
    "MemoryError": _raises(lambda: MemoryError(CANARY)),
    "AssertionError": _raises(lambda: AssertionError(CANARY)),
    "an error of two texts": _raises(
        lambda: UnicodeEncodeError("utf-8", CANARY, 0, 1, CANARY)
    ),
    "an error without a text": _raises(
        lambda: type("Odd", (Exception,), {"__str__": lambda _: 1 / 0})()
    ),
}
_WHERE = ("images", "reports")
_NOT_ON = {
    ("reports", "input zeroed"),
    ("reports", "input normalised in place"),
    ("reports", "input filled"),
}


def rows(ground: Ground) -> Iterator[Trial]:
    checks: list[tuple[str, Check]] = []
    for kinds, refused in ((_NUMBERS, False), (_REFUSED, True)):
        for name, change in kinds.items():
            for where in _WHERE:
                if (where, name) in _NOT_ON:
                    continue
                for form in ("class", "callables"):
                    checks.append(
                        (
                            f"{name}, {where}, {form}",
                            partial(_measured, change, where, form, name, refused),
                        )
                    )
    yield from in_children(ground.some(checks, 24))


def _measured(
    change: Change, where: str, form: str, name: str, refused: bool
) -> str | None:
    expected = _recalls(_encoder(None, "", form))
    try:
        found = _recalls(_encoder(change, where, form))
    except RobustError as error:
        return _said_well(error)
    if name == "bfloat16":
        # Rounded rows are another model: its numbers are near, and nothing is wrong with them.
        near = all(abs(found[key] - expected[key]) < 0.1 for key in expected)
        return None if near else f"other numbers: {found} instead of {expected}"
    others = [key for key in expected if found[key] != expected[key]]
    if others:
        direction, k, level = others[0]
        got = f"{found[others[0]]:.3f} instead of {expected[others[0]]:.3f}"
        return (
            f"other numbers in {len(others)} of {len(expected)} places: {direction}"
            f" Recall@{k} at {level}: {got}"
        )
    return "it was taken" if refused else None


def _said_well(error: RobustError) -> str | None:
    text = str(error)
    if CANARY in text:
        return f"quotes a foreign text: {text}"
    if error.__cause__ is not None or error.__context__ is not None:
        return "the error carries a foreign one"
    if not text.startswith("Expected"):
        return f"not a sentence of ours: {text}"
    return None


def _encoder(change: Change | None, where: str, form: str) -> Any:
    honest = Honest()
    calls: dict[str, Callable[[Any], Any]] = {
        "images": honest.images,
        "reports": honest.reports,
    }
    if change is not None:
        right = calls[where]
        calls[where] = lambda given: change(honest, given, right)
    if form == "callables":
        prepare = ToyEncoder().prepare
        return encoder_from_callables(
            "toy", calls["images"], calls["reports"], size=SIDE, prepare=prepare
        )
    encoder: Any = ToyEncoder()
    encoder.encode_images, encoder.encode_reports = calls["images"], calls["reports"]
    return encoder


def _recalls(encoder: Any) -> dict[tuple[str, int, float], float]:
    curve = evaluate(
        encoder,
        ToyDataset(_PAIRS),
        load_occluder("patches"),
        levels=LEVELS,
        batch_size=_BATCH,
    )
    directions: Any = ("image-to-report", "report-to-image")
    return {
        (direction, k, level): share
        for direction in directions
        for k in (1, 5, 10)
        for level, share in curve.recall(k, direction).items()
    }


ROWS = (
    Row(
        "encoders",
        "encoders that misbehave: honest numbers, or refused in a sentence",
        rows,
    ),
)
