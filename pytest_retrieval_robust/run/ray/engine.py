"""The engine that has actors of Ray encode: a `SweepEngine` of the controller."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import torch

from ...core.cases import CLEAN
from ...core.outcomes import Timing
from ...measure.embeddings.shards import ModelShards
from ...measure.sweep.changes import ignores_gallery
from ...measure.sweep.gallery import assembled_gallery, gallery_batches
from .messages import ReportsReply, SweepOrder
from .phases import DealtPhase, Muster
from .reference import reference_of
from .sameness import Sameness
from .taking import ImagesTaker

if TYPE_CHECKING:
    from torch import Tensor

    from ...core.cases import Cell
    from ...measure.embeddings.store import EmbeddingStore
    from ...measure.sweep.plan import SweepPlan
    from ...measure.sweep.receiver import Receiver
    from ...measure.sweep.space import RowSpace
    from .crew import Crew
    from .member import Member
    from .messages import ImagesReply, Spent

_AHEAD = {True: 8, False: 4}
"""Batches that an actor has: on a GPU more are read, or under way, at a time."""
_SPENT_SECONDS = 10.0
"""In which actors have to say how long they took; those that do not are left out."""


class RaySweep:
    """A `SweepEngine` whose batches are encoded by a crew.

    Args:
        crew: The actors.
        plan: What is encoded.
        store: The controller's. Actors that see it keep their embeddings there by
            themselves.
        number: Of the sweep in this run, from 1.
        kinds: The kinds of device that may be mixed; empty for one kind alone.
    """

    def __init__(
        self,
        crew: Crew,
        plan: SweepPlan,
        store: EmbeddingStore | None,
        number: int,
        kinds: Sequence[str] = (),
    ) -> None:
        self._kinds = kinds
        self._crew = crew
        self._plan = plan
        self._store = store
        self._number = number
        self._shards: ModelShards | None = None
        self._is_prepared = False
        self._token = ExitStack()
        """Holds the file by which actors find out whether they see the store."""
        self.spent: list[Spent] = []

    def prepare(self) -> None:
        """Have the actors collect the suite and load the model; `gallery` does it too."""
        if not self._is_prepared:
            self._is_prepared = True
            self._muster()

    def gallery(self, space: RowSpace, cell: Cell = CLEAN) -> Tensor:
        try:
            return self._gallery(space, cell)
        except BaseException:
            self._token.close()
            raise

    def _gallery(self, space: RowSpace, cell: Cell) -> Tensor:
        self.prepare()
        plan = self._plan
        texts = plan.texts_of(cell)
        batches = gallery_batches(plan.model, texts, plan.batch_size)
        rows = self._stored_reports([[texts[n] for n in batch] for batch in batches])

        def take(member: Member, reply: ReportsReply | ImagesReply) -> bool:
            assert isinstance(reply, ReportsReply)
            rows[reply.number] = torch.tensor(reply.rows)
            if reply.is_to_be_kept and self._has_keys_of(member):
                assert self._shards is not None
                batch = [texts[number] for number in batches[reply.number]]
                self._shards.save_reports(batch, reply.rows)
            return True

        missing = [number for number in range(len(batches)) if number not in rows]
        phase = DealtPhase(
            missing,
            2,
            lambda member: member.handle.open_reports.remote(cell),
            take,
            f"batch of reports of {plan.pairs.dataset.name}",
            len(self._crew.prepared),
        )
        self._crew.run(phase)
        device = plan.model.device
        in_order = (rows.pop(number).to(device) for number in range(len(batches)))
        return assembled_gallery(
            plan.model, batches, in_order, space, may_be_alike=cell != CLEAN
        )

    def gather(self, reports: Tensor, receiver: Receiver) -> None:
        plan = self._plan
        gallery = None
        if _looks_at_reports(plan):
            gallery = self._crew.cluster.put(reports.cpu().numpy())
        taker = ImagesTaker(plan, receiver, self._shards)
        phase = DealtPhase(
            range(len(plan.batches)),
            _AHEAD[self._crew.layout.gpus > 0],
            lambda member: member.handle.open_images.remote(gallery),
            taker.take,
            f"batch of {plan.pairs.dataset.name}",
            len(self._crew.prepared),
        )
        taker.phase = phase
        # An actor that takes the place of another one looks for the file too.
        with self._token:
            self._crew.run(phase)
        self._note_unseen()
        self.spent = self._crew.ask_all("spent", _SPENT_SECONDS)

    def timing(self, cell: Cell, encoded: int, images: int) -> Timing:
        speeds = [
            spent.encoded[cell] / spent.encode_seconds[cell]
            for spent in self.spent
            if spent.encoded.get(cell) and spent.encode_seconds.get(cell)
        ]
        devices = sorted({spent.device for spent in self.spent})
        hardware = sorted({spent.hardware for spent in self.spent})
        device = devices[0] if devices else self._plan.model.device
        return Timing(
            # Actors work side by side, so their speeds add up.
            images_per_second=sum(speeds) if encoded and speeds else None,
            encode_seconds=sum(s.encode_seconds.get(cell, 0.0) for s in self.spent),
            occlude_seconds=sum(s.occlude_seconds.get(cell, 0.0) for s in self.spent),
            device=device,
            precision=self._plan.precision,
            from_store=images - encoded,
            hardware="" if device == "cpu" else ", ".join(hardware),
        )

    def _muster(self) -> None:
        """Have the actors prepare, and let those work that are alike."""
        plan = self._plan
        crew = self._crew
        order = SweepOrder(
            self._number,
            plan.model.name,
            plan.pairs.dataset.name,
            (*plan.changes, *plan.noises),
            plan.batch_size,
            self._token.enter_context(_token_in(self._store)),
            keeps=self._store is not None,
        )
        crew.begin(order)
        crew.run(Muster(crew))
        answers = [member.ready for member in crew.prepared if member.ready]
        reference = reference_of(
            Sameness.of(plan, None),
            [answer.sameness for answer in answers],
            self._kinds,
        )
        if self._store is not None and reference.is_stored:
            self._shards = ModelShards(self._store, plan.model.name, reference.identity)
        crew.admit(
            lambda ready: list(reference.differences(ready.sameness, self._kinds))
        )
        if not crew.prepared:
            # `run` says why.
            crew.run(Muster(crew))

    def _has_keys_of(self, member: Member) -> bool:
        """Whether what an actor encodes has the keys of the controller's shards.

        Another kind of device, which the user mixes, has keys of its own.
        """
        if self._shards is None or member.ready is None:
            return False
        return member.ready.sameness.identity == self._shards.identity

    def _note_unseen(self) -> None:
        if self._store is None:
            return
        unseen = {
            member.ready.sameness.node
            for member in self._crew.prepared
            if member.ready is not None and not member.ready.sees_store
        }
        for node in sorted(unseen):
            self._crew.note(
                f"The embedding store is not seen by workers of node {node}: rows were"
                " sent. Give --robust-cache-dir a folder that every node sees."
            )

    def _stored_reports(self, batches: list[list[str]]) -> dict[int, Tensor]:
        """The batches of reports that the controller's own store has."""
        rows: dict[int, Tensor] = {}
        if self._shards is None:
            return rows
        for number, texts in enumerate(batches):
            stored = self._shards.load_reports(texts)
            if stored is not None:
                rows[number] = torch.from_numpy(stored)
        return rows


def _looks_at_reports(plan: SweepPlan) -> bool:
    """Whether an occluder may look at the gallery, which then goes to every actor."""
    return not all(map(ignores_gallery, plan.changes.values()))


@contextmanager
def _token_in(store: EmbeddingStore | None) -> Iterator[str | None]:
    """The name of a file in the store that only this run knows; None if there can be none."""
    if store is None:
        yield None
        return
    token = f"seen-{secrets.token_hex(16)}"
    file = store.folder / token
    is_written = False
    with suppress(OSError):
        store.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        is_written = True
    try:
        yield token if is_written else None
    finally:
        with suppress(OSError):
            file.unlink()
