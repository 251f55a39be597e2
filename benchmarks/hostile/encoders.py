"""Encoders that misbehave: honest numbers, or refused in a sentence."""

from __future__ import annotations

import os
import random
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch

from pytest_retrieval_robust import encoder_from_callables, evaluate, load_occluder
from pytest_retrieval_robust.core.errors import RobustError

from .children import in_children
from .toy import SIDE, ToyDataset, ToyEncoder, image_rows, report_rows, unit
from .trials import Check, Ground, Row, Trial

LEVELS = (0, 0.1, 0.2)
_PAIRS = 60
_BATCH = 16
CANARY = "CANARY-TEXT"
Rows = Any
Change = Callable[["Honest", Any, Callable[[Any], Rows]], Rows]
"""What stands in for one call: the encoder, its input and the honest call."""


class Honest:
    """What the honest encoder computes, and room for what the misbehaving ones keep."""

    def __init__(self) -> None:
        self.memory: dict[str, Any] = {}
        self.calls = 0

    def images(self, pixels: Any) -> Any:
        tensor = torch.as_tensor(pixels)
        return unit(image_rows(tensor))

    def reports(self, texts: Sequence[str]) -> Any:
        return unit(torch.from_numpy(report_rows(texts)))


def _buffer(self: Honest, inputs: Any, honest: Callable[[Any], Rows]) -> Any:
    """One buffer for all batches."""
    rows = honest(inputs)
    buffer = self.memory.setdefault("buffer", torch.zeros(4096, rows.shape[1]))
    buffer[: len(rows)] = rows
    return buffer[: len(rows)]


def _transposed(self: Honest, inputs: Any, honest: Callable[[Any], Rows]) -> Any:
    """A view that is not contiguous, of a buffer that is used again."""
    rows = honest(inputs)
    buffer = self.memory.setdefault("wide", torch.zeros(rows.shape[1], 4096))
    buffer[:, : len(rows)] = rows.T
    return buffer[:, : len(rows)].T


def _read_only(_: Honest, inputs: Any, honest: Callable[[Any], Rows]) -> Any:
    rows = honest(inputs).numpy().copy()
    rows.flags.writeable = False
    return rows


def _numpy_buffer(self: Honest, inputs: Any, honest: Callable[[Any], Rows]) -> Any:
    rows = honest(inputs).numpy()
    buffer = self.memory.setdefault(
        "numpy", np.zeros((4096, rows.shape[1]), np.float32)
    )
    buffer[: len(rows)] = rows
    return buffer[: len(rows)]


def _changed_later(self: Honest, inputs: Any, honest: Callable[[Any], Rows]) -> Any:
    """The rows of the call before are set to zero."""
    rows = honest(inputs)
    if "before" in self.memory:
        self.memory["before"].zero_()
    self.memory["before"] = rows
    return rows


def _mutates(operation: Callable[[Any], Any], when: str = "after") -> Change:
    def change(_: Honest, inputs: Any, honest: Callable[[Any], Rows]) -> Any:
        if when == "before":
            operation(inputs)
            return honest(inputs)
        rows = honest(inputs).clone()
        operation(inputs)
        return rows

    return change


def _clears_list(_: Honest, inputs: Any, honest: Callable[[Any], Rows]) -> Any:
    rows = honest(list(inputs))
    if isinstance(inputs, list):
        inputs.clear()
    elif isinstance(inputs, torch.Tensor):
        inputs.zero_()
    else:
        inputs.fill(0)
    return rows


def _returns(value: Callable[[Rows], Any]) -> Change:
    return lambda _, inputs, honest: value(honest(inputs))


def _raises(error: Callable[[], BaseException]) -> Change:
    def change(*_: Any) -> Any:
        raise error()

    return change


def _does(action: Callable[[], Any]) -> Change:
    """Something to the whole process, and then honest rows."""

    def change(_: Honest, inputs: Any, honest: Callable[[Any], Rows]) -> Any:
        action()
        return honest(inputs)

    return change


def _row_set(value: float, every: bool = False) -> Callable[[Rows], Any]:
    def changed(rows: Any) -> Any:
        rows = rows.clone()
        count = len(rows) if every else 1
        rows[:count] = value
        return rows

    return changed


def _fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _later_call(self: Honest, inputs: Any, honest: Callable[[Any], Rows]) -> Any:
    """Honest at first; another width from the third call on."""
    self.calls += 1
    rows = honest(inputs)
    if self.calls < 3:
        return rows
    return rows[:, :-1]


# Honest numbers must come of these: a refusal would be right too, but nothing else.
_NUMBERS: Mapping[str, Change] = {
    "one buffer": _buffer,
    "a view of one buffer": _transposed,
    "a numpy buffer": _numpy_buffer,
    "read-only rows": _read_only,
    "rows zeroed later": _changed_later,
    "input zeroed": _mutates(lambda inputs: inputs.__imul__(0)),
    "input normalised in place": _mutates(lambda inputs: inputs.__isub__(0.5)),
    "input filled": _mutates(lambda inputs: inputs.__setitem__(slice(None), 1)),
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
_FORMS = ("class", "callables")
_NOT_ON = {
    ("reports", "input zeroed"),
    ("reports", "input normalised in place"),
    ("reports", "input filled"),
}


def rows(ground: Ground) -> Iterator[Trial]:
    checks: list[tuple[str, Check]] = []
    changes = product((*_NUMBERS.items(), *_REFUSED.items()), _WHERE, _FORMS)
    for (name, change), where, form in changes:
        if (where, name) not in _NOT_ON:
            check = partial(_measured, change, where, form, name)
            checks.append((f"{name}, {where}, {form}", check))
    yield from in_children(ground.some(checks, 24))


def _measured(change: Change, where: str, form: str, name: str) -> str | None:
    expected = _recalls(_encoder(None, "", form))
    try:
        recalls = _recalls(_encoder(change, where, form))
    except RobustError as error:
        return _said_well(error)
    if name == "bfloat16":
        # Rounded rows are another model: its numbers are near, and nothing is wrong with them.
        if all(abs(recalls[key] - expected[key]) < 0.1 for key in expected):
            return None
        return f"other numbers: {recalls} instead of {expected}"
    others = [key for key in expected if recalls[key] != expected[key]]
    if others:
        direction, k, level = others[0]
        got = f"{recalls[others[0]]:.3f} instead of {expected[others[0]]:.3f}"
        return (
            f"other numbers in {len(others)} of {len(expected)} places: {direction}"
            f" Recall@{k} at {level}: {got}"
        )
    return "it was taken" if name in _REFUSED else None


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
        calls[where] = lambda inputs: change(honest, inputs, right)
    if form == "callables":
        prepare = ToyEncoder().prepare
        return encoder_from_callables(
            "toy", calls["images"], calls["reports"], size=SIDE, prepare=prepare
        )
    encoder: Any = ToyEncoder()
    encoder.encode_images = calls["images"]
    encoder.encode_reports = calls["reports"]
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
    recalls = {}
    for direction, k in product(directions, (1, 5, 10)):
        for level, recall in curve.recall(k, direction).items():
            recalls[direction, k, level] = recall
    return recalls


ROWS = (
    Row(
        "encoders",
        "encoders that misbehave: honest numbers, or refused in a sentence",
        rows,
    ),
)
