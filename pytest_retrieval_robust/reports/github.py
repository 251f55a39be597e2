"""What GitHub Actions shows of a run: the step's summary and annotations on what
failed, where it offers them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..core.files import require_regular
from ..gate.record import RunRecord
from ._text import readable
from .markdown.report import blocks

_LIMIT = 1024 * 1024
"""Bytes of a step's summary, beyond which GitHub shows nothing of it."""
_MOST = 10
"""Annotations of a kind that GitHub shows of a step."""
_NOTE = (
    "\n\nThis summary was cut at GitHub's limit of 1 MiB: `--robust-report FILE.md`"
    " keeps all of it.\n"
)


def is_offered(environment: Mapping[str, str]) -> bool:
    """Whether this is a step of GitHub Actions."""
    return environment.get("GITHUB_ACTIONS") == "true"


def write_step_summary(run: RunRecord, environment: Mapping[str, str]) -> None:
    """Add the Markdown report to the step's summary; `OSError` where it cannot be written."""
    place = environment.get("GITHUB_STEP_SUMMARY")
    if not is_offered(environment) or not place:
        return
    path = Path(place)
    if os.path.lexists(path):
        require_regular(path)  # a FIFO would be waited for without end
    used = path.stat().st_size if path.exists() else 0
    written = step_summary(run, _LIMIT - used - 2)
    if written:
        with path.open("a", encoding="utf-8", newline="\n") as stream:
            stream.write(("\n\n" if used else "") + written)


def step_summary(run: RunRecord, limit: int = _LIMIT) -> str:
    """The Markdown report in at most `limit` bytes: blocks that have no room are left
    out, and a note says so.
    """
    kept: list[str] = []
    whole, left = True, limit - len(_NOTE.encode())
    for block in blocks(run):
        size = len(block.encode()) + 2
        if size <= left:
            kept.append(block)
            left -= size
        else:
            whole = False
    if not whole and left < 0:
        return ""
    return "\n\n".join(kept) + ("\n" if whole else _NOTE)


def error_commands(
    run: RunRecord, policy: Path | None, environment: Mapping[str, str]
) -> Iterator[str]:
    """Workflow commands: an error for each gate that objects, at the file of the gates;
    a note where there are more.
    """
    if not is_offered(environment):
        return
    objections = [verdict for verdict in run.verdicts if verdict.objects]
    place = _place(policy, environment)
    few = objections if len(objections) <= _MOST else objections[: _MOST - 1]
    for verdict in few:
        title = f"{verdict.gate}, {verdict.case.model}"
        yield _command("error", {**place, "title": title}, verdict.sentence)
    if len(few) < len(objections):
        more = (
            f"{len(objections) - len(few)} more gates were not met or are inconclusive:"
            " see the summary."
        )
        yield _command("error", {**place, "title": "and more"}, more)
    if not run.release.is_green and not objections:
        told = "; ".join(run.release.reasons)
        yield _command(
            "error",
            {**place, "title": "release gate"},
            told if run.failures else f"not judged: {told}",
        )


def _place(policy: Path | None, environment: Mapping[str, str]) -> dict[str, str]:
    """The file of the gates, as the repository calls it; nothing where it lies elsewhere."""
    root = environment.get("GITHUB_WORKSPACE")
    if policy is None or not root:
        return {}
    try:
        return {"file": policy.resolve().relative_to(Path(root).resolve()).as_posix()}
    except ValueError:
        return {}


def _command(name: str, properties: Mapping[str, str], message: str) -> str:
    told = ",".join(
        f"{key}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}"
        for key, value in properties.items()
    )
    return f"::{name}{' ' if told else ''}{told}::{_escaped(message)}"


def _escaped(words: str) -> str:
    """As GitHub reads a command: one line, in which only its own signs are escaped."""
    return readable(words).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
