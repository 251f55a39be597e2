"""The actors of a run as the controller sees them: begun, prepared, lost and replaced.

What they are given to do is a `Phase`; the crew asks it for the next call of each actor
that has none under way, and hands on what comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from ...core.errors import RobustError
from .cluster import ActorLostError
from .layout import described
from .member import Member, Phase
from .messages import Ready, Refusal

if TYPE_CHECKING:
    from .cluster import Cluster
    from .layout import Layout
    from .messages import Launch, SweepOrder

START_SECONDS = 120.0
"""In which the first actor has to start."""
_REPLACEMENTS = 3
"""For each actor, in a run."""
_LOOK_SECONDS = 1.0
"""After which the crew looks again at who has nothing to do."""


class Crew:
    """The actors of a run.

    Args:
        cluster: Where they run.
        layout: How many, and what each has.
        launch: What each needs to collect the suite.
        note: Takes sentences for the summary of the run.
    """

    def __init__(
        self,
        cluster: Cluster,
        layout: Layout,
        launch: Launch,
        note: Callable[[str], None],
    ) -> None:
        self.cluster = cluster
        self.layout = layout
        self._launch = launch
        self.note = note
        self._order: SweepOrder | None = None
        self._judge: Callable[[Ready], list[str]] | None = None
        self._phase: Phase | None = None
        self._replacements = _REPLACEMENTS * layout.actors
        self._reasons: dict[str, None] = {}
        """Why actors are gone, each reason once."""
        self._members: list[Member] = []
        self._waiting_since = monotonic()
        for _ in range(layout.actors):
            self._add()

    @property
    def prepared(self) -> list[Member]:
        """The members that are prepared for the sweep."""
        order = self._order
        return [
            member
            for member in self._members
            if order is not None
            and member.order == order.number
            and member.ready is not None
        ]

    @property
    def is_settled(self) -> bool:
        """Whether every actor is prepared."""
        return len(self.prepared) == len(self._members)

    def begin(self, order: SweepOrder) -> None:
        """Have every actor prepare for a sweep; none of them works before `admit`."""
        self._order = order
        self._judge = None

    def admit(self, judge: Callable[[Ready], list[str]]) -> None:
        """Let those work in which `judge` sees no difference; it returns what differs."""
        self._judge = judge
        for member in self.prepared:
            self._judge_member(member)

    def run(self, phase: Phase) -> None:
        """Return once a phase is finished.

        Raises `RobustError` where no actor is left, or none starts.
        """
        self._phase = phase
        while not phase.is_finished:
            self._begin_calls(phase)
            self._take_values()
            self._require_members()

    def ask_all(self, method: str, seconds: float) -> list[Any]:
        """What all prepared actors that have no call under way answer in time."""
        asked = []
        for member in self.prepared:
            # What it still did for the last phase is of no use.
            member.forget_call()
            asked.append(getattr(member.handle, method).remote())
        answers = []
        until = monotonic() + seconds
        while asked and monotonic() < until:
            for reference in self.cluster.wait(asked, max(0.0, until - monotonic())):
                asked.remove(reference)
                try:
                    answers.append(self.cluster.value(reference))
                except ActorLostError:
                    # It is noticed where its next call ends.
                    continue
        return answers

    def close(self) -> None:
        """End every actor, and the cluster if it was started for them."""
        for member in self._members:
            self.cluster.kill(member.handle)
        self._members.clear()
        self.cluster.close()

    # Calls

    def _add(self) -> None:
        member = Member(self.cluster.actor(self.layout, self._launch))
        self._members.append(member)
        self._ask(member, member.handle.hello.remote(), self._started(member))

    def _ask(self, member: Member, pending: Any, take: Callable[[Any], None]) -> None:
        member.pending = pending
        member.take = take

    def _started(self, member: Member) -> Callable[[str], None]:
        def take(node: str) -> None:
            member.node = node

        return take

    def _begin_calls(self, phase: Phase) -> None:
        for member in self._members:
            if member.pending is None:
                self._begin_call(member, phase)

    def _begin_call(self, member: Member, phase: Phase) -> None:
        order = self._order
        if order is not None and member.order != order.number:
            member.ready = None
            member.order = order.number
            pending = member.handle.prepare.remote(order)
            self._ask(member, pending, self._prepared(member, order.number))
            return
        if self._judge is None or member.ready is None:
            return
        pending = phase.call(member)
        if pending is not None:
            self._ask(member, pending, self._worked(member, phase))

    def _prepared(
        self, member: Member, order: int
    ) -> Callable[[Ready | Refusal], None]:
        def take(answer: Ready | Refusal) -> None:
            if isinstance(answer, Refusal):
                self._dismiss(member, answer.error.text)
            elif self._order is not None and order == self._order.number:
                member.ready = answer
                self._judge_member(member)

        return take

    def _worked(self, member: Member, phase: Phase) -> Callable[[Any], None]:
        def take(value: Any) -> None:
            # What comes from a phase that is over is of no use.
            if phase is self._phase:
                phase.take(member, value)

        return take

    def _take_values(self) -> None:
        pending = {
            member.pending: member
            for member in self._members
            if member.pending is not None
        }
        if not pending:
            sleep(_LOOK_SECONDS / 20)
        for reference in self.cluster.wait(list(pending), _LOOK_SECONDS):
            self._collect(pending[reference], reference)

    def _collect(self, member: Member, reference: Any) -> None:
        """Take what a call gave that has ended."""
        take = member.take
        member.forget_call()
        try:
            value = self.cluster.value(reference)
        except ActorLostError as error:
            reason = str(error)
            # Such as a node where this package is not installed.
            if not member.node:
                reason = f"{reason}: {error.detail}"
            self._lose(member, reason)
            return
        if take is not None:
            take(value)

    # Those that are gone

    def _judge_member(self, member: Member) -> None:
        if self._judge is None or member.ready is None:
            return
        differences = self._judge(member.ready)
        if differences:
            self._dismiss(
                member,
                "Expected what the others have, got"
                f" {'; '.join(differences)}. Install the same there.",
            )

    def _dismiss(self, member: Member, reason: str) -> None:
        """Go on without an actor that cannot take part."""
        self._remove(member, f"{member.node}: {reason}")
        self.note(f"Not used for encoding: {member.node}. {reason}")
        self.cluster.kill(member.handle)

    def _lose(self, member: Member, reason: str) -> None:
        """Replace an actor that has ended, or whose call raised.

        It may still hold its devices and cores, which the next one needs.
        """
        node = member.node or "a node"
        self.cluster.kill(member.handle)
        self._remove(member, f"{node}: the actor ended ({reason}).")
        if member.node:
            self.note(
                f"An actor of Ray on {node} ended ({reason}). Others took over what it"
                " had begun."
            )
        if self._phase is not None:
            self._phase.lost(member, reason)
        if self._replacements:
            self._replacements -= 1
            self._waiting_since = monotonic()
            self._add()

    def _remove(self, member: Member, reason: str) -> None:
        if member in self._members:
            self._members.remove(member)
        self._reasons[reason] = None

    def _require_members(self) -> None:
        if not self._members:
            raise RobustError(
                "Expected actors of Ray that can encode, got none."
                f" {' '.join(self._reasons)}"
            )
        if any(member.node for member in self._members):
            self._waiting_since = monotonic()
        elif monotonic() - self._waiting_since > START_SECONDS:
            raise RobustError(
                f"Expected an actor of Ray to start within {START_SECONDS:g} s, got none"
                f" (each needs cores={self.layout.cores}, gpus={self.layout.gpus}; the"
                f" cluster has {described(self.cluster.nodes())}). See what else runs there, or"
                " lower --robust-ray-actors."
            )
