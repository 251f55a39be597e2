"""The edited reports of a sweep: encoded once, and compared in every cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.errors import RobustError, TimedOutError
from ...core.foreign import without_frames
from ..embeddings.shards import ModelShards
from .edits import EncodedEdits, encode_edits
from .numbers import CounterfactualRanking

if TYPE_CHECKING:
    from torch import Tensor

    from ...core.counterfactuals import EditedReports
    from ..embeddings.store import EmbeddingStore
    from ..pairs import Pairs
    from ..sweep.plan import SweepPlan
    from ..sweep.space import RowSpace


class SweepEdits:
    """Encodes the edits in this process, whatever encodes the rest: they are texts."""

    def __init__(
        self, plan: SweepPlan, edited: EditedReports | None, space: RowSpace
    ) -> None:
        self._plan = plan
        self._edited = edited
        self._space = space
        self._encoded: EncodedEdits | None = None
        self.error: RobustError | None = None
        """Why they could not be encoded. It takes no recall away."""

    def encode(self, reports: Tensor, store: EmbeddingStore | None) -> None:
        """Encode the edits of the plan's reports, whose rows are given."""
        if self._edited is None:
            return
        plan = self._plan
        shards = ModelShards.of(store, plan.model, plan.precision, plan.decoding)
        try:
            self._encoded = encode_edits(
                plan.model,
                plan.pairs,
                self._edited,
                reports,
                plan.batch_size,
                shards,
                self._space,
            )
        except TimedOutError:
            raise  # it ends the whole sweep
        except RobustError as error:
            self.error = without_frames(error)

    def ranking(self, pairs: Pairs, reports: Tensor) -> CounterfactualRanking | None:
        """What compares cells with the edits, for readable pairs; None without edits."""
        if self._encoded is None:
            return None
        plan = self._plan
        return CounterfactualRanking(
            plan.model, pairs, reports, self._encoded, plan.ks, self._space
        )
