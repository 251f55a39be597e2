"""Which part of a suite's batches a process encodes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...core.errors import ConfigError

_WRITTEN = re.compile(r"(?P<number>[0-9]{1,9})/(?P<count>[0-9]{1,9})", re.ASCII)


@dataclass(frozen=True)
class Part:
    """Part `number` of `count`, from 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def of_text(cls, text: str) -> Part:
        """The part that is written `2/4`. Raises `ConfigError` for anything else."""
        match = _WRITTEN.fullmatch(text)
        if match is not None:
            part = cls(int(match["number"]), int(match["count"]))
            if 1 <= part.number <= part.count:
                return part
        raise ConfigError(
            f"Expected I/N with I from 1 to N, got --part={text!r}. Give the first of"
            " four processes --part 1/4, the last one --part 4/4."
        )

    def owns(self, batch: int, sweep: int) -> bool:
        """Whether a batch is of this part, by its own number and that of its sweep.

        Short sweeps, of a batch or two each, do not all fall to the first part.
        """
        return (batch + sweep) % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"
