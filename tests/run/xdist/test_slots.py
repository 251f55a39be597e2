"""Which devices workers of pytest-xdist take, on four that torch is made to count."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from execnet import XSpec

from pytest_retrieval_robust.core.device import Slot, further_numbers
from pytest_retrieval_robust.run.xdist.slots import Slots

pytestmark = pytest.mark.usefixtures("forked_workers")

CONFTEST = """
import json
import os
from pathlib import Path

from pytest_retrieval_robust.core.device import own_slot

NOTES = Path(__file__).parent / "notes"
NOTES.mkdir(exist_ok=True)

def pytest_configure(config):
    worker = getattr(config, "workerinput", {}).get("workerid", "alone")
    note = {"slot": str(own_slot()), "devices": devices(worker)}
    (NOTES / worker).write_text(json.dumps(note))

def pytest_configure_node(node):
    node.workerinput["of another plugin"] = 1

def devices(worker):
    # The controller is the process of the tests around this run.
    if worker == "alone" or not os.environ.get("COUNTS_DEVICES"):
        return []
    import torch

    torch.cuda.is_available = lambda: True
    torch.cuda.device_count = lambda: 4
    torch.cuda.get_device_name = lambda number=0: "A"
    from pytest_retrieval_robust.core.device import further_devices, resolve_device

    return [resolve_device("auto"), *further_devices("auto")]
"""
DYING = """
import os
from pathlib import Path

import pytest

NOTES = Path(__file__).parent / "notes"

@pytest.mark.parametrize("number", range(12))
def test_of_many(number, request):
    worker = request.config.workerinput["workerid"]
    if number in (0, 7):
        (NOTES / f"died-{number}").write_text(worker)
        os._exit(1)
"""
HARMLESS = """
def test_of_one():
    pass
"""


@dataclass(frozen=True)
class Notes:
    """What the workers of a run noted."""

    workers: dict[str, dict[str, Any]]
    dead: list[str]
    """Those that died, by the number of their test."""

    @property
    def slots(self) -> dict[str, str]:
        return {name: note["slot"] for name, note in sorted(self.workers.items())}


@pytest.fixture
def dying(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite in which two tests end their workers."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_dying=DYING)
    return pytester


def notes_of(pytester: pytest.Pytester, *options: str) -> Notes:
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    workers: dict[str, dict[str, Any]] = {}
    dead = []
    for file in sorted((pytester.path / "notes").iterdir()):
        text = file.read_text()
        if file.name.startswith("died-"):
            dead.append(text)
        else:
            workers[file.name] = json.loads(text)
    # The controller notes itself too.
    if len(workers) > 1:
        del workers["alone"]
    return Notes(workers, dead)


def test_a_worker_that_is_replaced_leaves_its_devices_to_the_next(
    dying: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTS_DEVICES", "1")
    notes = notes_of(dying, "-n", "2")
    assert set(notes.workers) == {"gw0", "gw1", "gw2", "gw3"}
    first, second = notes.dead
    devices = {name: note["devices"] for name, note in notes.workers.items()}
    assert devices["gw0"] == ["cuda:0", "cuda:2"]
    assert devices["gw1"] == ["cuda:1", "cuda:3"]
    # Which of them died first is not for this test to say.
    replacements = [devices["gw2"], devices["gw3"]]
    assert sorted(replacements) == sorted([devices[first], devices[second]])


@pytest.mark.parametrize(
    "options",
    [
        ("--tx=popen//id=first", "--tx=popen//id=second", "--dist=load"),
        ("-n", "2", "--dist=worksteal"),
        ("-n", "2", "--maxfail=9"),
    ],
    ids=" ".join,
)
def test_however_tests_are_dealt_out_there_are_two_slots(
    dying: pytest.Pytester, options: tuple[str, ...]
) -> None:
    notes = notes_of(dying, *options)
    assert len(notes.workers) > 2
    assert set(notes.slots.values()) == {"0/2", "1/2"}


def test_where_each_worker_runs_every_test_there_are_two_slots(
    pytester: pytest.Pytester,
) -> None:
    # No worker dies here: what pytest-xdist does of one that it replaces under
    # `--dist=each` hangs on which worker is ready first (`KeyError` in its scheduler).
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_harmless=HARMLESS)
    notes = notes_of(pytester, "--dist=each", "--tx=2*popen")
    assert notes.slots == {"gw0": "0/2", "gw1": "1/2"}


def test_without_workers_a_process_takes_all_devices(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_harmless=HARMLESS)
    notes = notes_of(pytester, "-n", "0")
    assert notes.slots == {"alone": "0/1"}
    assert further_numbers(Slot(), 4) == [1, 2, 3]


def test_a_run_that_ends_at_its_first_failure_ends_at_a_death(
    dying: pytest.Pytester,
) -> None:
    notes = notes_of(dying, "-n", "2", "--maxfail=1")
    assert set(notes.slots.values()) == {"0/2", "1/2"}


@dataclass(frozen=True)
class Manager:
    specs: list[XSpec]


@dataclass(frozen=True)
class Gateway:
    id: str
    spec: XSpec


class Node:
    """What the hooks of pytest-xdist are given of a worker."""

    def __init__(self, manager: Manager, name: str, spec: XSpec) -> None:
        self.nodemanager = manager
        self.gateway = Gateway(name, spec)
        self.workerinput: dict[str, str] = {}

    @property
    def slot(self) -> str:
        return self.workerinput["retrieval_robust_slot"]


def test_machines_and_sets_of_visible_devices_have_slots_of_their_own() -> None:
    texts = (
        "popen",
        "ssh=one",
        "popen",
        "ssh=one//python=python3",
        "ssh=two",
        "popen//env:CUDA_VISIBLE_DEVICES=2,3",
    )
    specs = [XSpec(text) for text in texts]
    manager = Manager(specs)
    slots = Slots()
    nodes = [Node(manager, f"gw{number}", spec) for number, spec in enumerate(specs)]
    for node in nodes:
        slots.give(node)
    assert [node.slot for node in nodes] == ["0/2", "0/2", "1/2", "1/2", "0/1", "0/1"]
    slots.take_back(nodes[1])
    slots.take_back(nodes[2])
    again = Node(manager, "gw6", specs[2])
    slots.give(again)
    assert again.slot == "1/2"
    remote = Node(manager, "gw7", specs[1])
    slots.give(remote)
    assert remote.slot == "0/2"


def test_a_worker_that_was_never_given_a_slot_leaves_none() -> None:
    manager = Manager([XSpec("popen")])
    slots = Slots()
    slots.take_back(Node(manager, "gw9", manager.specs[0]))
    node = Node(manager, "gw0", manager.specs[0])
    slots.give(node)
    assert node.slot == "0/1"
