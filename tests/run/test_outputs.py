"""What a run writes: looked at in time, whole or not at all, and never in place of a
run that measured more.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_retrieval_robust.core.atomic_files import parts_in, whole_file
from pytest_retrieval_robust.core.errors import RobustError
from pytest_retrieval_robust.gate.arrays import RunStore
from pytest_retrieval_robust.gate.measurements import Scope
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, judge_run
from pytest_retrieval_robust.reports.saved.read import load_run
from pytest_retrieval_robust.reports.saved_run import save_run
from pytest_retrieval_robust.run.outputs import check_outputs, place_for, same_place
from pytest_retrieval_robust.run.xdist import folder as store
from pytest_retrieval_robust.run.xdist.notice_board import NoticeBoard

from ..conftest import ANY_MODEL, SMALL, THREE_LINES, Run
from ..forked_runs import forked_pytest
from ..saved_runs import Made, make_run, with_search

posix = pytest.mark.skipif(os.name != "posix", reason="FIFOs, fork, process ids")
Content = dict[str, bytes]


def content_of(folder: Path) -> Content:
    """Every file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


# Noticed before the first measurement


def a_file(path: Path) -> None:
    path.write_text("mine")


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_loop(path: Path) -> None:
    path.symlink_to(path.name)


def a_link_to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def nothing(path: Path) -> None:
    pass


IN_PLACE = [
    ("out", a_file, "--robust-results=out"),
    ("out", a_file, "--robust-results=out/deep/below"),
    ("out", a_fifo, "--robust-results=out"),
    ("out", a_loop, "--robust-results=out"),
    ("out", a_link_to_nowhere, "--robust-results=out"),
    ("out", a_device, "--robust-results=out"),
    ("run.json", a_fifo, "--robust-results=."),
    ("ranks.npz", Path.mkdir, "--robust-results=."),
    ("x", nothing, "--robust-results=/proc/nowhere"),
    ("x", nothing, f"--robust-results={'x' * 300}"),
    ("page.html", Path.mkdir, "--robust-report=page.html"),
    ("page.html", a_fifo, "--robust-report=page.html"),
    ("page.html", a_loop, "--robust-report=page.html"),
    ("page.html", a_device, "--robust-report=page.html"),
    ("out", a_file, "--robust-report=out/page.html"),
    ("x", nothing, "--robust-report=/proc/nowhere/page.html"),
    ("x", nothing, "--robust-report=page.txt"),
    ("base", a_loop, "--robust-baseline=base"),
    ("base", a_link_to_nowhere, "--robust-baseline=base"),
    ("base", a_file, "--robust-baseline=base"),
    ("base", a_fifo, "--robust-baseline=base"),
    ("base", a_loop, "--robust-replay=base"),
    ("base", a_fifo, "--robust-replay=base"),
    ("base", nothing, "--robust-replay=base"),
]


@posix
@pytest.mark.parametrize(("name", "make", "option"), IN_PLACE)
def test_what_cannot_be_written_or_read_is_said_before_anything_is_measured(
    pytester: pytest.Pytester, name: str, make: Callable[[Path], None], option: str
) -> None:
    make(pytester.path / name)
    pytester.makepyfile("def test_it(outcome):\n    open('measured', 'w').close()\n")
    before = sorted(os.listdir(pytester.path))
    result = pytester.runpytest_inprocess(
        option, "--robust-models=tiny-cxr-clip", "-p", "no:cacheprovider"
    )
    assert result.ret == 4
    assert str(result.stderr).startswith("ERROR: ")
    assert (
        sorted(set(os.listdir(pytester.path)) - {"__pycache__", ".benchmarks"})
        == before
    )  # nothing measured, nothing left


def test_looking_changes_nothing(tmp_path: Path) -> None:
    older = make_run(tmp_path / "store").save(tmp_path / "out")
    before, listed = content_of(older), sorted(os.listdir(tmp_path))
    check_outputs(older, [tmp_path / "new/page.html", tmp_path / "page.md"], [None])
    check_outputs(tmp_path / "new/out", [], [older])
    assert (content_of(older), sorted(os.listdir(tmp_path))) == (before, listed)


@pytest.mark.parametrize(
    "options",
    [
        ("--robust-replay=mine", "--robust-report=mine/run.json"),
        ("--robust-replay=mine", "--robust-report=other/run.json"),
        (
            "--robust-replay=mine",
            "--robust-baseline=other",
            "--robust-report=other/run.json",
        ),
        (
            "--robust-replay=mine",
            "--robust-results=other",
            "--robust-report=other/run.json",
        ),
        ("--robust-replay=mine", "--robust-results=link"),
        (
            "--robust-replay=mine",
            "--robust-baseline=other",
            "--robust-results=./other/../other",
        ),
    ],
)
def test_no_output_replaces_a_run_that_is_read(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    mine = make_run(pytester.path / "a").save(pytester.path / "mine")
    second = make_run(pytester.path / "b").save(pytester.path / "other")
    (pytester.path / "link").symlink_to("mine")
    before = content_of(mine), content_of(second)
    assert pytester.runpytest_inprocess(*options, "-p", "no:cacheprovider").ret == 4
    assert (content_of(mine), content_of(second)) == before


def test_a_loop_of_links_is_the_same_place_as_itself_alone(tmp_path: Path) -> None:
    a_loop(tmp_path / "loop")
    assert same_place(tmp_path / "loop", tmp_path / "loop")
    assert not same_place(tmp_path / "loop", tmp_path / "other")


# An older run survives whatever ends the new one


WRITES = os.O_WRONLY | os.O_RDWR


def writing(event: str, arguments: tuple[Any, ...], folder: Path) -> bool:
    """Whether something is about to be changed below a folder."""
    if event == "open":
        path, mode, flags = arguments
        changes = (
            any(sign in mode for sign in "wax+")
            if isinstance(mode, str)
            else bool(flags & WRITES)
        )
    else:
        path, changes = (
            arguments[0] if arguments else None,
            event in ("os.rename", "os.remove", "os.link", "os.mkdir"),
        )
    return (
        changes
        and isinstance(path, str | os.PathLike)
        and Path(os.fsdecode(path)).is_relative_to(folder)
    )


def in_a_child(
    folder: Path, action: Callable[[], object], at: int, end: Callable[[], None]
) -> int:
    """Do something in a process of its own that meets its `end` at the step `at`.

    Its exit status: 0 where it has fewer steps, 3 where it failed, 4 where it did what
    it should all the same.
    """
    child = os.fork()
    if child == 0:
        status, steps = 5, 0

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal steps
            if writing(event, arguments, folder):
                steps += 1
                if steps == at:
                    end()

        sys.addaudithook(hook)
        try:
            action()
            status = 4 if steps >= at else 0
        except (OSError, KeyboardInterrupt):
            status = 3
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed() -> None:
    os._exit(9)


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupted() -> None:
    raise KeyboardInterrupt


def saver(made: Made, folder: Path) -> Callable[[], None]:
    record = judge_run(made.run, Policy(), Against())
    return lambda: save_run(record, made.store, folder)


@pytest.fixture
def older(tmp_path: Path) -> Made:
    return with_search(make_run(tmp_path / "older"), "ours")


@pytest.fixture
def newer(tmp_path: Path) -> Made:
    return with_search(make_run(tmp_path / "newer", shift=9), "ours", images=10)


def each_step(
    folder: Path, older: Made | None, newer: Made, end: Callable[[], None]
) -> Iterator[int]:
    """Save a newer run over an older one, and let it end at each step in turn."""
    for at in range(1, 100):
        if older is not None:
            saver(older, folder)()
        status = in_a_child(folder, saver(newer, folder), at, end)
        if status == 0:
            assert at > 7  # parts, two names, moves: all of them were tried
            return
        yield status
    pytest.fail("it never came to its end")


@posix
def test_a_run_that_is_killed_leaves_the_older_or_the_newer_one_whole(
    tmp_path: Path, older: Made, newer: Made
) -> None:
    folder = tmp_path / "out"
    runs = {made.run.measured.identity.id: made for made in (older, newer)}
    seen_ids = set()
    for status in each_step(folder, older, newer, killed):
        assert status == 9
        read = load_run(folder).measured
        assert read.outcomes == runs[read.identity.id].run.measured.outcomes
        seen_ids.add(read.identity.id)
        saver(newer, folder)()  # the next run leaves nothing of it
        assert sorted(os.listdir(folder)) == [
            "ranks.npz",
            "run.json",
            "sensitivity-ours-d.png",
        ]
        assert load_run(folder).measured.identity.id == newer.run.measured.identity.id
    assert seen_ids == set(runs)


@posix
@pytest.mark.parametrize("end", [full, interrupted])
def test_a_run_that_cannot_be_written_leaves_the_older_one_byte_for_byte(
    tmp_path: Path, older: Made, newer: Made, end: Callable[[], None]
) -> None:
    folder = tmp_path / "out"
    saver(older, folder)()
    before = content_of(folder)
    for status in each_step(folder, None, newer, end):
        now = content_of(folder)
        if load_run(folder).measured.identity.id == newer.run.measured.identity.id:
            saver(older, folder)()  # it came to its end but for tidying up
            before = content_of(folder)
            continue
        assert status == 3, "it said nothing"
        remaining = {
            name: content for name, content in now.items() if not name.endswith(".part")
        }
        assert {name: remaining[name] for name in before} == before


@posix
def test_where_no_older_run_is_a_half_written_one_is_none(
    tmp_path: Path, newer: Made
) -> None:
    folder = tmp_path / "out"
    for _ in each_step(folder, None, newer, full):
        if (folder / "run.json").exists():
            load_run(folder)
            for path in folder.iterdir():
                path.unlink()
        else:
            assert not (folder / "ranks.npz").exists()


def test_a_file_system_without_second_names_will_do(
    tmp_path: Path, older: Made, newer: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    saver(older, tmp_path / "out")()
    saver(newer, tmp_path / "out")()
    assert load_run(tmp_path / "out").measured.outcomes == newer.run.measured.outcomes
    assert len(os.listdir(tmp_path / "out")) == 3


# A run that measured less does not replace one that measured more


LESSER = {
    "partial": lambda made: made.measured(scope=Scope("-k", "pytest -k x")),
    "interrupted": lambda made: made.measured(scope=Scope("interrupted", "pytest")),
    "limited": lambda made: made.measured(limit=200),
    "of fewer cells": lambda made: made.measured(
        outcomes=made.run.measured.outcomes[:2]
    ),
    "empty": lambda made: made.measured(outcomes=(), models=()),
}


@pytest.mark.parametrize("kind", LESSER)
def test_a_lesser_run_goes_beside(tmp_path: Path, kind: str) -> None:
    folder = make_run(tmp_path / "a").save(tmp_path / "out")
    lesser = LESSER[kind](make_run(tmp_path / "b")).run.measured
    chosen, note = place_for(lesser, folder, ())
    assert chosen == tmp_path / "out.partial"
    assert note is not None
    assert note.startswith(
        "The results were written to 'out.partial', because 'out' holds "
    )


def test_an_equal_or_greater_run_replaces(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a").save(tmp_path / "out")
    equal, greater = (
        make_run(tmp_path / "b").run.measured,
        make_run(tmp_path / "c", seeds=(0, 1)).run.measured,
    )
    assert place_for(equal, folder, ()) == (folder, None)
    assert place_for(greater, folder, ()) == (folder, None)


def test_the_same_run_judged_once_more_replaces_itself(tmp_path: Path) -> None:
    made = make_run(tmp_path / "a")
    folder = made.save(tmp_path / "out")
    again = made.measured(scope=Scope("stopped early", "pytest")).run.measured
    assert place_for(again, folder, ()) == (folder, None)


def test_one_partial_run_after_another_each_finds_its_place(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a").save(tmp_path / "out")
    make_run(tmp_path / "b").measured(scope=Scope("-k", "")).save(
        tmp_path / "out.partial"
    )
    (tmp_path / "out.partial-2").write_text("mine")
    empty = (
        make_run(tmp_path / "c")
        .measured(outcomes=(), models=(), scope=Scope("-k", ""))
        .run.measured
    )
    assert place_for(empty, folder, ())[0] == tmp_path / "out.partial-3"
    assert (
        place_for(empty, folder, [tmp_path / "out.partial-3"])[0]
        == tmp_path / "out.partial-4"
    )


def test_a_damaged_run_is_replaced_by_a_whole_one_alone(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a").save(tmp_path / "out")
    (folder / "ranks.npz").write_bytes(b"")
    made = make_run(tmp_path / "b")
    assert place_for(made.run.measured, folder, ())[0] == folder
    assert place_for(LESSER["partial"](made).run.measured, folder, ())[0] != folder
    (folder / "run.json").write_text('{"schema_version": 99}')
    assert (
        place_for(made.run.measured, folder, ())[0] != folder
    )  # of a newer version: it may be whole


RUNS = {
    "-k of some": ("-k", "level0.00"),
    "-k of none": ("-k", "zzz"),
    "--setup-plan": ("--setup-plan",),
    "--setup-only": ("--setup-only",),
    "--setup-show of some": ("--setup-show", "-k", "level0.00"),
    "--fixtures": ("--fixtures",),
    "--fixtures-per-test": ("--fixtures-per-test",),
    "--collect-only": ("--collect-only",),
    "--markers": ("--markers",),
    "--help": ("--help",),
    "a lower limit": ("--robust-limit=12",),
    "fewer levels": ("--robust-levels=0",),
    "a wrong option": ("--robust-levels=7",),
    "an interrupt": ("-p", "interrupting"),
    "two processes": ("-n1", "-k", "level0.00"),
}


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a smoke run of the three-line suite."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "test_mine.py").write_text(THREE_LINES)
    (folder / "robust.toml").write_text(ANY_MODEL)
    assert forked_pytest(folder, *SMALL, "--robust-results=out").ret == 0
    return folder / "out"


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("name", RUNS)
def test_an_older_run_survives_byte_for_byte(
    whole_run: Path, run_suite: Run, pytester: pytest.Pytester, name: str
) -> None:
    shutil.copytree(whole_run, pytester.path / "out")
    pytester.syspathinsert()
    pytester.makepyfile(
        interrupting="""
        def pytest_runtest_teardown(item):
            raise KeyboardInterrupt
        """
    )
    before = content_of(pytester.path / "out")
    with suppress(
        KeyboardInterrupt
    ):  # pytester passes it on, once the inner run has ended
        run_suite("--robust-results=out", *RUNS[name])
    assert content_of(pytester.path / "out") == before


def test_a_partial_run_is_written_beside_unless_told_otherwise(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    run_suite("--robust-results=out")
    result = run_suite(
        "--robust-results=out", "--robust-report=run.md", "-k", "level0.00"
    )
    result.stdout.fnmatch_lines(
        ["*note: The results were written to 'out.partial', because 'out' holds*"]
    )
    beside = load_run(pytester.path / "out.partial").measured
    assert [outcome.case.level for outcome in beside.outcomes] == [0.0]
    run_suite("--robust-results=out", "-k", "level0.00", "--robust-overwrite")
    assert len(load_run(pytester.path / "out").measured.outcomes) == 1


# What killed runs left behind


@posix
def test_what_dead_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    def leave(name: str) -> None:
        with whole_file(tmp_path / name) as part:
            part.write_bytes(b"half")
            os._exit(9)

    for name in ("run.json", "page.html", "sensitivity-ours-d.png"):
        child = os.fork()
        if child == 0:
            leave(name)
        os.waitpid(child, 0)
    assert len(list(parts_in(tmp_path))) == 3
    strangers = [
        "mine.part",
        "page.html.part",
        "notes.12-34.part",
        "page.html.1-xx.part",
    ]
    for name in strangers:
        (tmp_path / name).write_text("mine")
    other_host = tmp_path / f"page.html.{2**22 + 5}-{'0' * 16}.part"
    other_host.write_text("another machine's")
    with whole_file(tmp_path / "page.md") as live:
        live.write_text("half")
        check_outputs(tmp_path, [tmp_path / "page.html"], [])
        assert live.exists()
        assert {path.name for path in tmp_path.iterdir()} == {
            *strangers,
            live.name,
            other_host.name,
        }
        live.write_text("whole")
    os.utime(other_host, (1_000_000, 1_000_000))
    check_outputs(tmp_path, [], [])
    assert {path.name for path in tmp_path.iterdir()} == {*strangers, "page.md"}


@posix
def test_folders_that_killed_runs_left_in_the_temporary_folder_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    child = os.fork()
    if child == 0:
        folder = store.temporary_folder()
        Path(folder.name, "samples").mkdir()
        os._exit(9)
    os.waitpid(child, 0)
    strangers = ["retrieval-robust-mine", "retrieval-robust-12-deadbeef-x"]
    for name in strangers:
        (tmp_path / name).mkdir()
    assert len(os.listdir(tmp_path)) == 3
    with store.temporary_folder() as live:
        assert set(os.listdir(tmp_path)) == {*strangers, Path(live).name}
        with store.temporary_folder():
            assert Path(live).is_dir()


# The temporary folder


REFUSE = """
import errno, os, sys

def refuse(event, arguments):
    if event in ("os.mkdir", "open") and "retrieval-robust" in str(arguments[0]):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

sys.addaudithook(refuse)
"""


@pytest.mark.parametrize("workers", [(), ("-n1",)])
def test_a_full_temporary_folder_is_a_usage_error(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    pytester.makepyfile(full=REFUSE)
    pytester.makepyfile(test_mine="def test_it(outcome):\n    pass\n")
    # Not in this process, which would keep the hook.
    result = forked_pytest(
        pytester.path, "-p", "full", "--robust-models=tiny-cxr-clip", *workers
    )
    assert result.ret == 4
    output = result.stdout.str() + result.stderr.str()
    assert (
        "Expected room in the system's temporary folder, got: No space left on device."
        " Free space" in output
    )
    assert "INTERNALERROR" not in output
    assert "Traceback" not in output


def test_no_room_for_ranks_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        RobustError, match="Expected room for ranks in the system's temporary folder"
    ) as caught:
        RunStore(tmp_path / "file").save("x", ranks=np.arange(3))
    assert caught.value.__context__ is None


def test_no_room_for_what_processes_tell_each_other_ends_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    board = NoticeBoard(tmp_path / "file")
    board.post_models({"test_x": "m"})
    assert board.models() == {}


FAILS_ONCE = """
import numpy as np
import pytest
from pytest_retrieval_robust import ModelEntry, encoder_from_callables

def images(pixels):
    rows = pixels.reshape(len(pixels), -1)[:, ::97]
    return rows[:, :32] / np.linalg.norm(rows[:, :32], axis=1, keepdims=True)

calls = []

def texts(texts):
    calls.append(texts)
    if len(calls) == 1:
        raise ValueError
    return np.eye(len(texts), 32)

def load(request):
    return encoder_from_callables("shaky", images, texts, size=32)

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    catalogues.models.add(ModelEntry("shaky", "", load))
"""


def test_a_run_whose_sweep_failed_beside_a_cost_can_be_read_again(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(FAILS_ONCE)
    pytester.makepyfile(
        """
        def test_recall(outcome, clean_outcome, gate):
            assert gate.violations(outcome, clean_outcome) == []

        def test_timing(occlusion_timer):
            occlusion_timer(images=2, rounds=1, calls=1)
        """
    )
    options = ("--robust-models=shaky", "--robust-limit=12", "--robust-levels=0.3")
    result = pytester.runpytest_inprocess(*options, "--robust-results=out")
    result.assert_outcomes(errors=2, passed=2)
    measured = load_run(pytester.path / "out").measured
    assert measured.outcomes == ()
    assert [facts["name"] for facts in measured.datasets] == ["synthetic-cxr"]
    assert len(measured.costs) == 2
