"""A process is told to end once; then schedulers may say it again."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest

from pytest_retrieval_robust.run.encode.stopping import Stopped, stoppable


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_raises_and_a_further_sigterm_does_nothing(
    number: signal.Signals,
) -> None:
    before = {
        which: signal.getsignal(which) for which in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        with pytest.raises(Stopped) as stopped, stoppable():
            signal.raise_signal(number)
        assert stopped.value.status == 128 + number
        signal.raise_signal(signal.SIGTERM)
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def test_handlers_are_as_before_where_nothing_happened() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stoppable():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def catch_and_check() -> None:
    with stoppable() as told:
        told.check()
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        told.check()


def test_what_foreign_code_has_caught_is_raised_again() -> None:
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        with pytest.raises(Stopped):
            catch_and_check()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
