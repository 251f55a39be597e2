"""What fuzzing counted: per target and slice in a file, and as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from .target import Target


@dataclass(frozen=True)
class Crash:
    """An input that broke the promise."""

    problem: str
    file: str | None
    """Where it was kept; None if its process left nothing."""


@dataclass(frozen=True)
class Tally:
    """How the inputs of one target ended within some seconds."""

    target: str
    seconds: float
    processor_seconds: float
    accepted: int
    refused: int
    crashes: tuple[Crash, ...] = ()

    @property
    def inputs(self) -> int:
        return self.accepted + self.refused + len(self.crashes)


def append(tallies: Iterable[Tally], file: Path) -> None:
    """Add a line per tally to a file."""
    with file.open("a", encoding="utf-8") as stream:
        for tally in tallies:
            stream.write(json.dumps(asdict(tally)) + "\n")


def read(file: Path) -> list[Tally]:
    tallies = []
    for line in file.read_text(encoding="utf-8").splitlines():
        data = json.loads(line)
        crashes = tuple(Crash(**crash) for crash in data.pop("crashes"))
        tallies.append(Tally(**data, crashes=crashes))
    return tallies


def table(tallies: Iterable[Tally], targets: Mapping[str, Target]) -> str:
    """A row per target, summed over its tallies, in Markdown."""
    rows = [_sum(tallies_of) for tallies_of in _by_target(tallies).values()]
    lines = [
        "| target | what is read | inputs | refused | accepted | crashes | minutes | of a"
        " processor |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for tally in rows:
        target = targets.get(tally.target)
        parser = "" if target is None else target.parser
        lines.append(f"| {tally.target} | {parser} | {_numbers(tally)} |")
    total = _sum(rows) if rows else Tally("", 0.0, 0.0, 0, 0)
    lines.append(f"| | all | {_numbers(total)} |")
    return "\n".join(lines)


def _by_target(tallies: Iterable[Tally]) -> dict[str, list[Tally]]:
    grouped: dict[str, list[Tally]] = {}
    for tally in tallies:
        grouped.setdefault(tally.target, []).append(tally)
    return grouped


def _sum(tallies: list[Tally]) -> Tally:
    return Tally(
        target=tallies[0].target,
        seconds=sum(tally.seconds for tally in tallies),
        processor_seconds=sum(tally.processor_seconds for tally in tallies),
        accepted=sum(tally.accepted for tally in tallies),
        refused=sum(tally.refused for tally in tallies),
        crashes=tuple(crash for tally in tallies for crash in tally.crashes),
    )


def _numbers(tally: Tally) -> str:
    counts = (tally.inputs, tally.refused, tally.accepted, len(tally.crashes))
    minutes = (tally.seconds / 60, tally.processor_seconds / 60)
    words = [*(f"{count:,}" for count in counts), *(f"{part:.1f}" for part in minutes)]
    return " | ".join(words)
