"""What a data set, an occluder or a corruption may be able to do beyond its protocol.

Those of a model are in `models`. Every ability is looked up by attribute and not by
`isinstance`, which since Python 3.12 ignores what a wrapper delegates in `__getattr__`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeGuard

from ..core.errors import DatasetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..datasets import RetrievalDataset
    from ..occluders.scene import Setting

# Of a data set


class LabelledDataset(Protocol):
    """A data set that knows which of its images have which label."""

    @property
    def label_names(self) -> tuple[str, ...]: ...

    @property
    def label_matrix(self) -> NDArray[np.bool_]:
        """(images, labels), with the columns of `label_names`."""


def is_labelled(dataset: object) -> TypeGuard[LabelledDataset]:
    return len(label_names_of(dataset)) > 0


def label_names_of(dataset: object) -> tuple[str, ...]:
    """The data set's labels; empty if it has no table of them."""
    try:
        return tuple(getattr(dataset, "label_names", ()))
    except DatasetError:
        return ()


def skips_unreadable(dataset: RetrievalDataset) -> bool:
    """Whether broken images are left out instead of ending the run."""
    return bool(getattr(dataset, "skips_unreadable", False))


def most_skipped(dataset: RetrievalDataset) -> float:
    """The largest share of broken images that a run may leave out."""
    share: float = getattr(dataset, "most_skipped", 0.0)
    return share


def counts_of(dataset: RetrievalDataset) -> Mapping[str, object]:
    """What the data set counted when it was opened, by name."""
    counts: Mapping[str, object] = getattr(dataset, "counts", {})
    return counts


# Of an occluder or a corruption


class DeclaresInputs(Protocol):
    """It states what a change follows from, so that embeddings can be stored."""

    def looked_at(
        self, setting: Setting, numbers: Sequence[int], groups: NDArray[np.int64]
    ) -> bytes | None:
        """A digest of all that a change follows from beyond ids and pixels.

        None if that is not known: then nothing is stored.
        """


def declares_inputs(change: object) -> TypeGuard[DeclaresInputs]:
    return getattr(change, "looked_at", None) is not None
