"""A data set's lists, each of which it is asked for once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..datasets import RetrievalDataset


class DatasetColumns:
    """The lists of a data set, as they were when they were first needed.

    A property of a user's data set may make its list anew each time that it is asked
    for. Asked for each image, or each batch, it would take time that grows with the
    square of the images.
    """

    def __init__(self, dataset: RetrievalDataset) -> None:
        self._dataset = dataset

    # Tuples, because other sequences may take longer to find an item that lies further
    # behind. A tuple that the data set keeps is not copied.

    @cached_property
    def image_ids(self) -> tuple[str, ...]:
        return tuple(self._dataset.image_ids)

    @cached_property
    def reports(self) -> tuple[str, ...]:
        return tuple(self._dataset.reports)

    @cached_property
    def patients(self) -> tuple[str, ...]:
        return tuple(self._dataset.patients)

    @cached_property
    def image_groups(self) -> NDArray[np.int64]:
        """(images,) group numbers."""
        return self._dataset.image_groups

    @cached_property
    def report_groups(self) -> NDArray[np.int64]:
        """(reports,) group numbers."""
        return self._dataset.report_groups
