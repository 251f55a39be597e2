"""What GitHub Actions shows of a run: the step's summary, and annotations on what failed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..core.files import require_regular
from ..core.words import counted
from ..gate.record import RunRecord
from ._text import readable
from .family_sentences import spoken
from .markdown.report import blocks

_LIMIT = 1024 * 1024
"""Bytes of a step's summary, beyond which GitHub shows nothing of it."""
_MOST_ANNOTATIONS = 10
"""Of one kind, that GitHub shows of a step."""
_CUT_NOTE = (
    "\n\nThis summary was cut at GitHub's limit of 1 MiB: `--robust-report FILE.md`"
    " keeps all of it.\n"
)


def is_offered(environment: Mapping[str, str]) -> bool:
    """Whether this is a step of GitHub Actions."""
    return environment.get("GITHUB_ACTIONS") == "true"


def write_step_summary(run: RunRecord, environment: Mapping[str, str]) -> None:
    """Add the Markdown report to the step's summary; `OSError` where it cannot be written."""
    name = environment.get("GITHUB_STEP_SUMMARY")
    if not is_offered(environment) or not name:
        return
    path = Path(name)
    if os.path.lexists(path):
        require_regular(path)  # a FIFO would be waited for without end
    # Other commands of the step may have written: the limit is for all of it.
    used = path.stat().st_size if path.exists() else 0
    separator = "\n\n" if used else ""
    summary = step_summary(run, _LIMIT - used - 2)
    if summary:
        with path.open("a", encoding="utf-8", newline="\n") as stream:
            stream.write(separator + summary)


def step_summary(run: RunRecord, limit: int = _LIMIT) -> str:
    """The Markdown report in at most `limit` bytes.

    Blocks that have no room are left out, and a note says so.
    """
    room = limit - len(_CUT_NOTE.encode())
    fitting: list[str] = []
    is_whole = True
    for block in blocks(run):
        size = len(block.encode()) + 2
        # A block that is too large does not keep smaller ones behind it out.
        if size <= room:
            fitting.append(block)
            room -= size
        else:
            is_whole = False
    if is_whole:
        return "\n\n".join(fitting) + "\n"
    return "" if room < 0 else "\n\n".join(fitting) + _CUT_NOTE


def error_commands(
    run: RunRecord, policy: Path | None, environment: Mapping[str, str]
) -> Iterator[str]:
    """Workflow commands: an error for each gate that objects, at the file of the gates.

    Where there are more than GitHub shows, the last one counts the others.
    """
    if not is_offered(environment):
        return
    objections = [verdict for verdict in run.verdicts if verdict.objects]
    location = _location(policy, environment)
    said = list(spoken(objections))
    shown = said
    if len(said) > _MOST_ANNOTATIONS:
        shown = said[: _MOST_ANNOTATIONS - 1]
    for each in shown:
        title = f"{each.first.gate}, {each.first.case.model}"
        yield _error(location, title, each.sentence)
    others = len(objections) - sum(len(each.verdicts) for each in shown)
    if others:
        gates = counted(others, "more gate is", "more gates are")
        sentence = f"{gates} not met or inconclusive: see the summary."
        yield _error(location, "and more", sentence)
    # No gate objects where tests broke or nothing was judged.
    if not run.release.is_green and not objections:
        reasons = "; ".join(run.release.reasons)
        sentence = reasons if run.failures else f"not judged: {reasons}"
        yield _error(location, "release gate", sentence)


def _location(policy: Path | None, environment: Mapping[str, str]) -> dict[str, str]:
    """The file of the gates, as the repository calls it; nothing where it lies elsewhere."""
    root = environment.get("GITHUB_WORKSPACE")
    if policy is None or not root:
        return {}
    try:
        relative = policy.resolve().relative_to(Path(root).resolve())
    except (ValueError, OSError):
        return {}
    return {"file": relative.as_posix()}


def _error(location: Mapping[str, str], title: str, message: str) -> str:
    properties = {**location, "title": title}
    words = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::error {words}::{_escaped(message)}"


def _property(value: str) -> str:
    """Colons and commas end a property, but not a message."""
    return _escaped(value).replace(":", "%3A").replace(",", "%2C")


def _escaped(words: str) -> str:
    """As GitHub reads a command: one line, in which only its own signs are escaped."""
    escaped = readable(words).replace("%", "%25")
    return escaped.replace("\r", "%0D").replace("\n", "%0A")
