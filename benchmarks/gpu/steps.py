"""What a step of the script is, and what it notes: checks that hold or fail, and figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeAlias

import torch

Direction: TypeAlias = Literal["at most", "at least"]


@dataclass(frozen=True)
class Setting:
    """Where the script runs, and how much it does."""

    device: str
    """`cpu` or `cuda:0`."""
    quick: bool
    """Small sizes, for a processor: every step runs, and its times say nothing."""
    folder: Path
    """Scratch, removed at the end."""

    @property
    def on_gpu(self) -> bool:
        return self.device.startswith("cuda")

    @property
    def on_real_gpu(self) -> bool:
        """Whether the device is a card, and not an emulated one."""
        return self.on_gpu and torch.cuda.is_available()

    def size(self, whole: int, quick: int) -> int:
        return quick if self.quick else whole


@dataclass(frozen=True)
class Check:
    """Something that must hold."""

    step: str
    name: str
    held: bool
    detail: str = ""

    def __str__(self) -> str:
        verdict = "PASS" if self.held else "FAIL"
        return f"{verdict} {self.step}: {self.name} {self.detail}".rstrip()


@dataclass(frozen=True)
class Target:
    """What a figure should reach. Missing it fails nothing."""

    limit: float
    direction: Direction = "at most"

    def is_met(self, value: float) -> bool:
        if self.direction == "at most":
            return value <= self.limit
        return value >= self.limit


@dataclass(frozen=True)
class Figure:
    """Something that was measured, once or in several rounds."""

    step: str
    name: str
    value: float
    """The median."""
    least: float
    most: float
    unit: str
    target: Target | None = None

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing without a target."""
        if self.target is None:
            return ""
        return "met" if self.target.is_met(self.value) else "missed"

    def __str__(self) -> str:
        words = [
            f"FIGURE {self.step}: {self.name} {self.value:.4g} {self.unit}".rstrip()
        ]
        if self.least < self.most:
            words.append(f"[{self.least:.4g}-{self.most:.4g}]")
        if self.target is not None:
            words.append(f"target {self.target.direction} {self.target.limit:g}")
            words.append(self.verdict)
        return " ".join(words)


@dataclass
class Notebook:
    """What the steps noted, printed as it comes."""

    checks: list[Check] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    """The card, its driver, versions and settings."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Why a step, or a part of one, was left out."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Of each step that was run."""
    step: str = ""
    """The one that is running."""

    def fact(self, name: str, value: object) -> None:
        self.facts[name] = str(value)
        print(f"{name}: {value}", flush=True)

    def check(self, name: str, held: object, detail: object = "") -> None:
        check = Check(self.step, name, bool(held), str(detail))
        self.checks.append(check)
        print(check, flush=True)

    def figure(
        self,
        name: str,
        values: float | Sequence[float],
        unit: str = "",
        target: Target | None = None,
    ) -> None:
        numbers = [values] if isinstance(values, int | float) else list(values)
        figure = Figure(
            self.step,
            name,
            median(numbers),
            min(numbers),
            max(numbers),
            unit,
            target,
        )
        self.figures.append(figure)
        print(figure, flush=True)

    def skip(self, name: str, reason: str) -> None:
        self.skipped[name] = reason
        print(f"SKIP {name}: {reason}", flush=True)

    @property
    def failures(self) -> list[Check]:
        return [check for check in self.checks if not check.held]

    def as_json(self) -> dict[str, Any]:
        figures = []
        for figure in self.figures:
            figures.append({**asdict(figure), "verdict": figure.verdict})
        return {
            "facts": self.facts,
            "checks": [asdict(check) for check in self.checks],
            "figures": figures,
            "skipped": self.skipped,
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class Step:
    """A part of the script."""

    name: str
    seconds: float
    """What it may take on one H100 with 16 cores."""
    run: Callable[[Setting, Notebook], None]
    needs_card: bool = False
    """Whether it is left out where there is no card."""


class Deadline:
    """Ends a loop of trials in time: what was tried by then counts."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._end
