"""The ledger of attempts: one line per run that was judged beside a saved run, each with
the hash of the line before, so that a change is noticed.

It holds ids, hashes, times and decisions: nothing of a patient, and no name. A hash is no
signature: somebody who changes the ledger on purpose can compute all of them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..core.errors import RobustError
from ..core.roles import Role
from .measurements import Measurements

START = "0" * 64
"""What the first line has in place of the hash of the line before."""


class LedgerError(RobustError):
    """A ledger of attempts that was changed, or cannot be read or written."""


@dataclass(frozen=True)
class Attempt:
    """A run that was judged beside saved runs."""

    run: str
    """Its id: a run that is judged again has the same."""
    started: str
    version: str
    weights: str | None
    """A hash of the weights of all its models; None where one has none, such as code."""
    baseline: str | None
    """A hash of the baseline's weights and data, and so the same where it is measured
    again; None where the run was not judged beside a baseline.
    """
    reference: str | None
    """The same of the reference."""
    gates: str | None
    """The hash of the policy."""
    judged: str
    """When it was judged."""
    verdict: str

    def beside(self, role: Role) -> str | None:
        """Which saved run it was judged beside in a role."""
        return self.reference if role is Role.REFERENCE else self.baseline


_FIELDS = {each.name for each in fields(Attempt)}


@dataclass(frozen=True)
class Line:
    """An attempt as the ledger has it."""

    attempt: Attempt
    previous: str
    """The hash of the line before."""

    @property
    def sha256(self) -> str:
        return _digest({**asdict(self.attempt), "previous": self.previous})

    @property
    def text(self) -> str:
        """With its end of line."""
        content = {**asdict(self.attempt), "previous": self.previous}
        return json.dumps({**content, "sha256": self.sha256}, sort_keys=True) + "\n"


@dataclass(frozen=True)
class Ledger:
    """The attempts, in the order in which they were judged."""

    lines: tuple[Line, ...] = ()

    def next_line(self, attempt: Attempt) -> Line:
        """What to append for an attempt."""
        previous = self.lines[-1].sha256 if self.lines else START
        return Line(attempt, previous)

    def with_line(self, line: Line) -> Ledger:
        return Ledger((*self.lines, line))

    def line_of(self, run: str, beside: Mapping[Role, str]) -> Line | None:
        """The line of a run that was judged beside these saved runs before."""
        for line in self.lines:
            attempt = line.attempt
            if attempt.run == run and all(
                attempt.beside(role) == saved for role, saved in beside.items()
            ):
                return line
        return None

    def numbers(self, run: str, beside: Mapping[Role, str]) -> dict[Role, int]:
        """Which attempt a run is against each of the saved runs, from 1.

        A run that was judged beside one of them before keeps its number there.
        """
        return {role: self._number(run, role, saved) for role, saved in beside.items()}

    def _number(self, run: str, role: Role, saved: str) -> int:
        runs = [
            line.attempt.run
            for line in self.lines
            if line.attempt.beside(role) == saved
        ]
        distinct = list(dict.fromkeys(runs))
        return distinct.index(run) + 1 if run in distinct else len(distinct) + 1

    def first_with(self, weights: str | None, role: Role, saved: str) -> int | None:
        """The number of the first attempt of these weights against a saved run."""
        if weights is None:
            return None
        for line in self.lines:
            attempt = line.attempt
            if attempt.beside(role) == saved and attempt.weights == weights:
                return self._number(attempt.run, role, saved)
        return None

    def has(self, sha256: str) -> bool:
        """Whether one of its lines has this hash."""
        return any(line.sha256 == sha256 for line in self.lines)


def parse_ledger(text: str, name: str) -> Ledger:
    """The ledger of a file; `name` is what messages call it.

    Raises:
        LedgerError: A line is no attempt, or its hash or that of the line before does not
            fit.
    """
    previous = START
    lines: list[Line] = []
    for number, written in enumerate(text.splitlines(keepends=True), start=1):
        line = _parsed(written, previous, number, name)
        lines.append(line)
        previous = line.sha256
    return Ledger(tuple(lines))


def _parsed(written: str, previous: str, number: int, name: str) -> Line:
    try:
        data: Any = json.loads(written)
    except (ValueError, RecursionError):
        data = None
    is_whole = isinstance(data, dict) and set(data) == _FIELDS | {"previous", "sha256"}
    if not is_whole or not _has_types(data) or not written.endswith("\n"):
        raise changed(name, f"line {number}, which is no whole attempt")
    if data["previous"] != previous:
        raise changed(name, f"line {number}, which does not follow the line before it")
    attempt = Attempt(**{field: data[field] for field in _FIELDS})
    line = Line(attempt, previous)
    if data["sha256"] != line.sha256:
        raise changed(name, f"line {number}, whose hash does not fit it")
    return line


def _has_types(data: Mapping[str, Any]) -> bool:
    """Whether all is text, or null where it may be."""
    may_be_missing = {"weights", "baseline", "reference", "gates"}
    return all(
        isinstance(value, str) or (value is None and field in may_be_missing)
        for field, value in data.items()
    )


def changed(name: str, got: str) -> LedgerError:
    """The error of a ledger that is not as it was written."""
    return LedgerError(
        f"Expected the attempts of {name} as they were written, got {got}: the file was"
        " changed, or lines were taken out. Restore it from version control or the"
        " cache. If that is not possible, move it away and write down why: a new ledger"
        " starts to count at 1."
    )


def weights_key(measured: Measurements) -> str | None:
    """A hash of the weights of all models that a run measured; None where one has none."""
    hashes = [
        model.card.get("sha256")
        for model in measured.models
        if model.name in measured.measured_models
    ]
    if not hashes or None in hashes:
        return None
    return _digest(sorted(map(str, hashes)))


def saved_run_key(measured: Measurements) -> str:
    """A hash of the weights and the data of a saved run: measured again it has the same.

    That of a run without hashes of its weights is of its id.
    """
    weights = weights_key(measured)
    if weights is None:
        return _digest(measured.identity.id)
    return _digest([weights, sorted(map(_data, measured.datasets))])


def _data(dataset: Mapping[str, Any]) -> list[str]:
    return [dataset["fingerprint"], dataset["relevance"]]


def _digest(content: Mapping[str, Any] | Iterable[Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
