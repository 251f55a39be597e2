"""How much of a suite a run has run, and by which command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

import pytest

from ..core.words import counted
from ..gate.measurements import INTERRUPTED, Scope
from .roster import PytestEvents, Roster

_START = r"(?:~[\w.-]*|[A-Za-z]:|\.\.)?[/\\]"
_INSIDE = r"(?!,\s*[\w.-]+[=:]|,[^,()/\\]*(?:[,)]|$)|\)\s*(?:,|$))"
_PATH_ELSEWHERE = re.compile(
    rf"(?<![\w.]){_START}(?:(?:{_INSIDE}.)*[/\\])?((?:{_INSIDE}[^/\\])*)"
)
"""A path to elsewhere within a list or call.

Results keep its last part alone, because folders tell of users and patients. Their
names may hold commas and brackets: the path ends where a name, a locator or a parameter
follows, or the call ends.
"""
_OPTION = re.compile(r"(--[\w-]+=|-[A-Za-z](?=[^-=]))?(.*)", re.DOTALL)


def run_scope(
    session: pytest.Session,
    roster: Roster | None,
    finished: set[str],
    events: PytestEvents,
) -> Scope:
    """How much of the suite was run, by what was collected and what finished.

    `roster` is None where it is unknown what was collected.
    """
    reasons = [
        *_narrowing_reasons(session, roster, finished),
        *_other_reasons(session, roster, finished, events),
    ]
    arguments = map(str, session.config.invocation_params.args)
    command = shlex.join(["pytest", *map(shown_argument, arguments)])
    return Scope(", ".join(reasons) or None, command)


def _narrowing_reasons(
    session: pytest.Session, roster: Roster | None, finished: set[str]
) -> list[str]:
    """The options that left tests out. One that left nothing out makes no run partial."""
    if roster is not None and not roster.dropped(finished):
        return []
    option = session.config.option
    narrowing: Mapping[str, object] = {
        "-k": option.keyword,
        "-m": option.markexpr,
        "--sw": getattr(option, "stepwise", False),
        "--deselect": getattr(option, "deselect", None),
        "node ids": any("::" in argument for argument in session.config.args),
    }
    reasons = [name for name, value in narrowing.items() if value]
    # Something dropped tests, and no option explains it.
    if roster is not None and not reasons and not getattr(option, "lf", False):
        count = len(roster.dropped(finished))
        reasons.append(f"{counted(count, 'test')} left out by a plugin or conftest")
    return reasons


def _other_reasons(
    session: pytest.Session,
    roster: Roster | None,
    finished: set[str],
    events: PytestEvents,
) -> Iterator[str]:
    is_stopped = bool(session.shouldfail or session.shouldstop)
    is_interrupted = (
        events.interrupted
        or events.internal_error
        or session.exitstatus == pytest.ExitCode.INTERRUPTED
    )
    # Whatever else is the reason, these make a run partial.
    # `--lf` leaves out whole files before anything of them is collected.
    if getattr(session.config.option, "lf", False):
        yield "--lf"
    if roster is not None and roster.ignored:
        yield "ignored files"
    if is_stopped:
        yield "stopped early"
    if is_interrupted:
        yield INTERRUPTED
    unfinished = set() if roster is None else roster.unfinished(finished)
    if unfinished and not is_stopped and not is_interrupted:
        yield f"{counted(len(unfinished), 'test')} not finished"


def shown_argument(argument: str) -> str:
    r"""An argument as results show it: of a path to elsewhere its last part.

    >>> shown_argument("--robust-results=/data/Roe, Jane/results")
    '--robust-results=.../results'
    """
    match = _OPTION.fullmatch(argument)
    assert match is not None
    option = match[1] or ""
    value = match[2]
    # A value that is one path; its spaces and commas are its own.
    if re.match(_START, value):
        *_, last = re.split(r"[/\\]", value.rstrip("/\\"))
        return f"{option}.../{last}"
    return option + _PATH_ELSEWHERE.sub(r".../\1", value)
