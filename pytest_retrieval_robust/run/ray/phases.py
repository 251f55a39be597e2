"""What a crew is given to do: to get ready, to encode reports, and to encode images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any

from ...core.errors import RobustError
from .dealing import MOST_ATTEMPTS, Dealer
from .messages import Broken, Deal, ImagesReply, Reply, ReportsReply, SentError

if TYPE_CHECKING:
    from ...core.cases import Cell
    from .crew import Crew
    from .member import Member

HEARTBEAT_SECONDS = 2.0
"""After which an actor answers, also if nothing is done."""
_GRACE_SECONDS = 60.0
"""How long those that are ready wait for the others to get ready."""


class Muster:
    """Actors collect the suite and load the model, each by itself."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._first_ready: float | None = None

    @property
    def is_finished(self) -> bool:
        if not self._crew.prepared:
            return False
        if self._first_ready is None:
            self._first_ready = monotonic()
        waited = monotonic() - self._first_ready
        return self._crew.is_settled or waited > _GRACE_SECONDS

    def call(self, member: Member) -> None:
        """Nothing: preparing is the crew's own affair."""

    def take(self, member: Member, value: Any) -> None:
        """Nothing."""

    def lost(self, member: Member, reason: str) -> None:
        """Nothing."""


class DealtPhase:
    """Batches that are dealt out until each was encoded by one actor.

    Args:
        numbers: Of the batches.
        ahead: How many an actor has at most.
        open_with: Begins the call after which an actor takes batches.
        take_reply: Takes the reply of a batch; it is False where the batch has to be
            tried again.
        described: What a batch is called in messages.
        expected: How many actors are ready.
    """

    def __init__(
        self,
        numbers: Iterable[int],
        ahead: int,
        open_with: Callable[[Member], Any],
        take_reply: Callable[[Member, ReportsReply | ImagesReply], bool],
        described: str,
        expected: int = 1,
    ) -> None:
        self.dealer: Dealer[Member] = Dealer(numbers, ahead, expected=expected)
        self.ended_cells: frozenset[Cell] = frozenset()
        self.distrusted: set[Member] = set()
        """Those of which the controller does not find in the store what they found."""
        self._open_with = open_with
        self._take_reply = take_reply
        self._described = described
        self._opened: set[Member] = set()
        self._halted: set[Member] = set()
        self._given: defaultdict[Member, set[int]] = defaultdict(set)
        """What each was given and has not replied to, whoever finishes it."""
        self._texts: defaultdict[int, list[str]] = defaultdict(list)
        """What was said where a batch failed, each time."""

    @property
    def is_finished(self) -> bool:
        return self.dealer.is_finished

    def call(self, member: Member) -> Any | None:
        if member not in self._opened:
            self._opened.add(member)
            self.dealer.join(member)
            return self._open_with(member)
        numbers = self.dealer.deal(member)
        given = self._given[member]
        given.update(numbers)
        if not self.dealer.held_by(member):
            return None
        overtaken = {number for number in given if not self.dealer.is_open(number)}
        given -= overtaken
        goes_on = member in self._halted
        self._halted.discard(member)
        deal = Deal(
            numbers=tuple(numbers),
            withdrawn=frozenset(overtaken),
            ended_cells=self.ended_cells,
            goes_on=goes_on,
            sends_rows=member in self.distrusted,
        )
        return member.handle.exchange.remote(deal, HEARTBEAT_SECONDS)

    def take(self, member: Member, value: list[Reply] | None) -> None:
        for reply in value or ():
            if isinstance(reply, Broken):
                self._take_broken(member, reply.error)
                continue
            self._given[member].discard(reply.number)
            # Another actor may have been faster.
            if not self.dealer.is_open(reply.number):
                continue
            if self._take_reply(member, reply):
                self.dealer.finish(member, reply.number)
            else:
                self.dealer.retry(member, reply.number)

    def lost(self, member: Member, reason: str) -> None:
        hopeless = self.dealer.leave(member)
        if hopeless:
            raise RobustError(
                f"Expected {self._described} {hopeless[0] + 1} to be encoded, got"
                f" actors of Ray that ended with it {MOST_ATTEMPTS} times (the last one"
                f" with {reason}). See whether memory of the nodes is enough, or lower"
                " --robust-batch-size."
            )

    def _take_broken(self, member: Member, error: SentError) -> None:
        """Give back what an actor held; raise the error where it is known to come again."""
        self._halted.add(member)
        self._given[member].clear()
        held = self.dealer.held_by(member)
        for number in held:
            self._texts[number].append(error.text)
        hopeless = self.dealer.give_back(member)
        # With several batches at hand it is not known which one it was.
        if len(held) == 1 and self._is_certain(held[0], error.text):
            raise error.as_error()
        if hopeless:
            raise error.as_error()

    def _is_certain(self, number: int, text: str) -> bool:
        """Whether a second try, by another actor if there is one, said the same."""
        tried_by = set(self.dealer.tried_by(number))
        is_second = len(tried_by) >= min(2, self.dealer.workers)
        return is_second and self._texts[number].count(text) >= 2
