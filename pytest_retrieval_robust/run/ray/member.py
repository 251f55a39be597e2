"""An actor as the controller sees it, and what work is that is dealt out to actors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .messages import Ready


@dataclass(eq=False, repr=False)
class Member:
    """One actor."""

    handle: Any
    node: str = ""
    """The name of its machine; empty until it has started."""
    ready: Ready | None = None
    """What it said of the sweep that it is prepared for."""
    order: int = 0
    """The number of that sweep."""
    pending: Any = None
    """The reference of the call that is under way."""
    take: Callable[[Any], None] | None = None
    """Takes the value of that call."""

    def forget_call(self) -> None:
        """Have no call under way."""
        self.pending = None
        self.take = None


class Phase(Protocol):
    """Some work that is dealt out to actors."""

    @property
    def is_finished(self) -> bool: ...

    def call(self, member: Member) -> Any | None:
        """Begin the next call of an actor and return its reference; None for none now."""

    def take(self, member: Member, value: Any) -> None:
        """Take the value of such a call."""

    def lost(self, member: Member, reason: str) -> None:
        """Note that an actor is gone."""
