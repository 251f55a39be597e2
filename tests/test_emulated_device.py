"""The emulated device: what waits for it is recorded with its line, and what does not
wait has not arrived.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from .emulated_device import Device, Wait, emulated


def event() -> Any:
    return torch.cuda.Event()  # type: ignore[no-untyped-call]


WAITING: dict[str, tuple[str, Callable[[Tensor], object]]] = {
    "to-device": ("upload", lambda _: torch.ones(3).to("cuda:0")),
    "non-blocking-from-pageable-memory": (
        "upload",
        lambda _: torch.ones(3).to("cuda:0", non_blocking=True),
    ),
    "blocking-from-pinned-memory": (
        "upload",
        lambda _: torch.ones(3).pin_memory().to("cuda:0"),
    ),
    "array": ("upload", lambda _: torch.from_numpy(np.ones(3)).to("cuda:0")),
    "made-there": ("upload", lambda _: torch.tensor([1.0], device="cuda:0")),
    "copy-into": ("upload", lambda rows: rows.copy_(torch.ones(3))),
    "index-from-host": ("upload", lambda rows: rows[torch.tensor([1])]),
    "list-as-index": ("upload", lambda rows: rows[[0, 1]]),
    "cpu": ("download", lambda rows: rows.cpu()),
    "to-cpu": ("download", lambda rows: rows.to("cpu")),
    "copy-to-host": ("download", lambda rows: torch.empty(3).copy_(rows)),
    "non-blocking-to-pageable-memory": (
        "download",
        lambda rows: torch.empty(3).copy_(rows, non_blocking=True),
    ),
    "item": ("value", lambda rows: rows[0].item()),
    "float": ("value", lambda rows: float(rows[0])),
    "int": ("value", lambda rows: int(rows[0])),
    "bool": ("value", lambda rows: bool((rows > 0).all())),
    "tolist": ("value", lambda rows: rows.tolist()),
    "allclose": ("comparison", lambda rows: torch.allclose(rows, rows)),
    "nonzero": ("count", torch.nonzero),
    "where": ("count", lambda rows: torch.where(rows > 0)),
    "mask-as-index": ("count", lambda rows: rows[rows > 0]),
    "masked-select": ("count", lambda rows: rows.masked_select(rows > 0)),
    "unique": ("count", torch.unique),
    "equal": ("comparison", lambda rows: torch.equal(rows, rows)),
    "synchronise": ("synchronise", lambda _: torch.cuda.synchronize("cuda:0")),
    "event": ("event", lambda _: event().synchronize()),
}
NOT_WAITING: dict[str, Callable[[Tensor], object]] = {
    "pinned": lambda _: torch.ones(3).pin_memory().to("cuda:0", non_blocking=True),
    "part-of-pinned": lambda _: torch.empty(3, 2, pin_memory=True)[1:].to(
        "cuda:0", non_blocking=True
    ),
    "to-pinned": lambda rows: torch.empty(3, pin_memory=True).copy_(
        rows, non_blocking=True
    ),
    "to-cpu": lambda rows: rows.to("cpu", non_blocking=True),
    "made-there": lambda _: torch.arange(3, device="cuda:0") + 1.5,
    "filled-where-a-mask-is": lambda rows: rows.masked_fill(rows > 0, 0.0),
    "number-put-where-a-mask-is": lambda rows: rows.__setitem__(rows > 0, 0.0),
    "slice": lambda rows: rows[1:],
    "to-its-own-device": lambda rows: rows.to("cuda:0").float(),
}


@pytest.fixture
def device() -> Iterator[Device]:
    with emulated("cuda:0") as device:
        yield device


def on(device: Device) -> Tensor:
    rows = torch.ones(3).to(device.name)
    device.waits.clear()
    return rows


@pytest.mark.parametrize("name", WAITING)
def test_what_waits_is_recorded_with_its_line(device: Device, name: str) -> None:
    kind, action = WAITING[name]
    rows = on(device)
    action(rows)
    first, last = line_numbers(action)
    [wait] = set(device.waits)
    assert wait.kind == kind
    # A function of torch has no line of ours but that of its call.
    assert wait.file == "tests/test_emulated_device.py"
    assert first <= wait.line <= last


def line_numbers(action: Callable[..., Any]) -> tuple[int, int]:
    if not inspect.isfunction(action) or action.__module__ != __name__:
        action = test_what_waits_is_recorded_with_its_line
    lines, first = inspect.getsourcelines(action)
    return first, first + len(lines)


@pytest.mark.parametrize("name", NOT_WAITING)
def test_what_does_not_wait_is_not_recorded(device: Device, name: str) -> None:
    rows = on(device)
    with device.forbid_waits():
        NOT_WAITING[name](rows)
    assert device.waits == []


def test_a_forbidden_wait_fails_with_its_line(device: Device) -> None:
    rows = on(device)

    def read() -> None:
        with device.forbid_waits(allowed=["event"]):
            event().synchronize()
            rows[0].item()

    with pytest.raises(AssertionError, match=r"value at tests/test_emul\w+\.py:\d+"):
        read()
    assert [wait.kind for wait in device.waits] == ["event", "value"]


def test_a_copy_that_nothing_waited_for_has_not_arrived(device: Device) -> None:
    numbers = on(device) * 5
    on_host = numbers.to("cpu", non_blocking=True)
    before = event()
    before.record()
    late = (numbers > 0).to("cpu", non_blocking=True)
    assert on_host.isnan().all()
    before.synchronize()
    assert on_host.tolist() == [5, 5, 5]
    assert late.tolist() == [False] * 3
    torch.cuda.synchronize()
    assert late.tolist() == [True] * 3


def test_an_event_is_over_once_something_waited_for_what_came_before(
    device: Device,
) -> None:
    on(device).to("cpu", non_blocking=True)
    copied = torch.cuda.current_stream().record_event(event())
    assert not copied.query()
    copied.synchronize()
    assert copied.query()


def test_a_buffer_that_is_written_to_during_its_upload_is_a_fault() -> None:
    def upload(waits: bool) -> None:
        with emulated("cuda:0"):
            buffer = torch.ones(3).pin_memory()
            buffer.to("cuda:0", non_blocking=True)
            if waits:
                torch.cuda.synchronize()
            buffer.fill_(2)

    upload(waits=True)
    with pytest.raises(AssertionError, match="written to"):
        upload(waits=False)


def test_a_wait_says_where_it_is() -> None:
    wait = Wait("value", "tests/some.py", 5)
    assert str(wait) == "value at tests/some.py:5"
