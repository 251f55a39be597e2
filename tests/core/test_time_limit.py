"""Work that takes too long is ended, wherever Python code can be reached."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_retrieval_robust.core import time_limit
from pytest_retrieval_robust.core.errors import TimedOutError
from pytest_retrieval_robust.core.time_limit import TimeLimit, TimeUp, within

needs_signal = pytest.mark.skipif(
    not hasattr(signal, "SIGURG"), reason="nothing interrupts here"
)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(time_limit, "AGAIN_SECONDS", 0.1)


def too_late(limit: TimeLimit) -> TimedOutError:
    return TimedOutError(f"after {limit.seconds:g}: {limit.lines}")


def sleep() -> None:
    time.sleep(60)


def wait_for_a_lock() -> None:
    threading.Event().wait(60)


def wait_for_a_thread() -> None:
    done = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        try:
            pool.submit(done.wait, 60).result()
        finally:
            done.set()


def catch_everything() -> None:
    try:
        sleep()
    except BaseException:
        sleep()


def make_an_error_of_it() -> None:
    try:
        sleep()
    except BaseException as error:
        raise SystemError from error


@needs_signal
@pytest.mark.parametrize(
    "work",
    [
        sleep,
        wait_for_a_lock,
        wait_for_a_thread,
        catch_everything,
        make_an_error_of_it,
    ],
)
def test_what_hangs_in_python_is_interrupted(work: Callable[[], None]) -> None:
    handler = signal.getsignal(signal.SIGURG)
    with pytest.raises(
        TimedOutError, match=f"test_time_limit.py:.* in {work.__name__}"
    ):
        within(TimeLimit(0.05), work, too_late)
    assert signal.getsignal(signal.SIGURG) == handler


def test_work_in_time_gives_its_value_and_leaves_nothing() -> None:
    for seconds in (None, 60.0):
        assert within(TimeLimit(seconds), lambda: 7, too_late) == 7
    time.sleep(0.05)
    assert "time limit" not in {thread.name for thread in threading.enumerate()}


def test_in_another_thread_work_is_asked_to_end() -> None:
    asked = 0

    def work() -> None:
        nonlocal asked
        while True:
            time.sleep(0.01)
            asked += 1
            limit.check()

    limit = TimeLimit(0.1)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(within, limit, work, too_late)
        with pytest.raises(TimedOutError):
            ended.result(30)
    assert asked > 1


def test_a_late_look_after_the_end_raises_nothing() -> None:
    limit = TimeLimit(0.01)
    with limit:
        time.sleep(0.05)
    assert limit.is_over
    limit.check()


@needs_signal
def test_an_import_is_never_cut_in_half(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("slow")
    (folder / "slow_to_import.py").write_text(
        "import time; time.sleep(0.6)\nWHOLE = 1\n"
    )
    monkeypatch.syspath_prepend(folder)

    def work() -> None:
        import slow_to_import  # type: ignore[import-not-found]

        assert slow_to_import.WHOLE
        sleep()

    with pytest.raises(TimedOutError):
        within(TimeLimit(0.05), work, too_late)
    assert sys.modules["slow_to_import"].WHOLE == 1


HANGING = """
import sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from pytest_retrieval_robust.core import hanging, time_limit
from pytest_retrieval_robust.core.errors import TimedOutError

hanging.END_SECONDS = 0.2
time_limit.GRACE_SECONDS = 0.1

def work():
    BEGIN
    time.sleep(60)

try:
    time_limit.within(
        time_limit.TimeLimit(0.1), work, lambda limit: TimedOutError("too late")
    )
except TimedOutError as error:
    print(error)
hanging.end_in_spite_of_hanging(3)
"""


PLAIN = "threading.Thread(target=time.sleep, args=(60,)).start()"
POOL = "ThreadPoolExecutor(2).submit(time.sleep, 60)"


@needs_signal
@pytest.mark.parametrize("begin", [PLAIN, POOL, f"for _ in range(200): {PLAIN}"])
def test_a_process_ends_in_spite_of_threads_that_hang(begin: str) -> None:
    """Also where a pool waits for its threads at the end, and however many there are."""
    code = HANGING.replace("BEGIN", begin)
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30
    )
    assert (ended.returncode, ended.stdout) == (3, "too late\n")


@needs_signal
def test_an_interrupt_while_the_limit_is_left_leaves_nothing_behind() -> None:
    """The next work is interrupted by nothing, and the old handler is back."""

    class InterruptedAtItsEnd(TimeLimit):
        def __exit__(self, *_: object) -> None:
            self.has_interrupted = True
            raise TimeUp

    before = signal.getsignal(signal.SIGURG)
    limit = InterruptedAtItsEnd(0.01)
    with pytest.raises(TimedOutError):
        within(limit, lambda: time.sleep(0.05), too_late)
    assert signal.getsignal(signal.SIGURG) == before
    limit.check()


def test_time_up_is_no_error_that_foreign_code_catches() -> None:
    assert not issubclass(TimeUp, Exception)
