"""The base of all noises of reports: a text of its own seed, changed by more as the
severity rises.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import ClassVar

from ...core.errors import CorruptionError
from ...core.hashed_words import hashed_order, hashed_words
from ...core.names import call_name


@dataclass(frozen=True)
class ReportNoise(ABC):
    """Changes each text by itself, so that equal texts stay equal.

    Subclasses are frozen dataclasses that set `family` (at most 16 bytes); the fields
    that they add become parameters of the name.
    """

    family: ClassVar[str]

    @abstractmethod
    def changed(self, text: str, severity: float, seed: int) -> str:
        """The text at a severity above 0.

        What is changed at a severity must be changed at every higher one too. A text that
        would be left empty stays as it is.
        """

    @property
    def name(self) -> str:
        """The family's name, with the parameters that are not the defaults in
        alphabetical order.
        """
        return call_name(self.family, self)

    def apply(self, texts: Sequence[str], severity: float, seed: int) -> list[str]:
        """The texts at a severity, in the same order.

        Args:
            texts: Any number of texts.
            severity: From 0, which changes nothing, to 1.
            seed: Which randomness, from 0 to 2**64 - 1.

        Raises:
            CorruptionError: A severity outside [0, 1], a wrong seed, or one text in
                place of a list.
        """
        _check_severity(severity)
        _check_seed(seed)
        if isinstance(texts, str):
            raise CorruptionError(
                "Expected a list of texts, got one text. Write [text] for one."
            )
        if severity == 0:
            return list(texts)
        return [self._noised(text, float(severity), seed) for text in texts]

    def _noised(self, text: str, severity: float, seed: int) -> str:
        changed = self.changed(text, severity, seed)
        return changed if changed.strip() else text

    def chosen(self, text: str, severity: float, seed: int, count: int) -> list[int]:
        """Which of `count` parts of a text are changed: a share of them equal to the
        severity, rounded, drawn from (seed, text, part). Rising numbers.

        Those of a severity are among those of every higher one.
        """
        order = hashed_order(text, seed, self.family, count)
        return sorted(order[: round(severity * count)])

    def words(self, text: str, seed: int, count: int, purpose: str = "") -> list[int]:
        """`count` random words in [0, 2**32) for parts of a text, whatever the severity.

        Args:
            text: The whole text.
            seed: The seed of `changed`.
            count: How many words.
            purpose: Separates streams, with the family at most 15 bytes together. Those
                without a purpose are the words that `chosen` sorts by.
        """
        stream = f"{self.family}:{purpose}" if purpose else self.family
        return hashed_words(text, seed, stream, count)


def _check_severity(severity: float) -> None:
    is_number = isinstance(severity, Real | Decimal) and not isinstance(severity, bool)
    if not is_number or not 0 <= severity <= 1:
        raise CorruptionError(
            f"Expected a severity from 0 to 1, got severity={severity!r}. The five"
            " published steps are 0.2, 0.4, 0.6, 0.8 and 1."
        )


def _check_seed(seed: int) -> None:
    is_int = isinstance(seed, int) and not isinstance(seed, bool)
    if not is_int or not 0 <= seed < 1 << 64:
        raise CorruptionError(
            f"Expected a seed from 0 to 2**64 - 1, got seed={seed!r}. Use a whole"
            " number such as 0."
        )


def check_share(name: str, share: float) -> None:
    """Raise `CorruptionError` where `share` is not a number in (0, 1]."""
    is_number = isinstance(share, Real | Decimal) and not isinstance(share, bool)
    if not is_number or not 0 < share <= 1:
        raise CorruptionError(
            f"Expected {name} above 0 and at most 1, got {name}={share!r}. Give the share"
            " of words: 0.3 for 30 %."
        )
