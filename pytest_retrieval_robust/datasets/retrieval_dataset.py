"""The protocols of data sets: images, reports, and which report is right for which image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from ..core.strata import Stratification


@runtime_checkable
class RetrievalDataset(Protocol):
    """Images, reports, and which report is right for which image.

    An image and a report belong together when their group numbers are equal. With the
    relevance rule `same-text` the reports hold each text once, so several images may
    share one report.
    """

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """A content hash (hex) of ids, texts, split and filters."""

    @property
    def split(self) -> str: ...

    @property
    def text(self) -> str:
        """The text policy: `findings`, `impression`, `findings+impression`, `longest` or `full`."""

    @property
    def relevance(self) -> str:
        """The relevance rule: `same-text`, `strict-id`, `same-study` or `same-labels`."""

    @property
    def image_ids(self) -> Sequence[str]:
        """One stable id per image, unique within the data set."""

    @property
    def reports(self) -> Sequence[str]:
        """The gallery of reports."""

    @property
    def image_groups(self) -> NDArray[np.int64]:
        """(images,) group numbers."""

    @property
    def report_groups(self) -> NDArray[np.int64]:
        """(reports,) group numbers."""

    @property
    def patients(self) -> Sequence[str]:
        """One patient id per image, for clustered statistics; never written out."""

    def image(self, index: int) -> Image:
        """Image `index` as it lies on disk, undistorted.

        Must be safe to call from several threads.
        """


@runtime_checkable
class KnowsContent(Protocol):
    """A data set that can tell whether an image changed without decoding it.

    A second run then need not decode it either.
    """

    def content_digest(self, index: int) -> bytes:
        """32 bytes that change whenever image `index` comes out differently.

        Must be safe to call from several threads.
        """


@runtime_checkable
class KnowsStrata(Protocol):
    """A data set that knows groups of its images and reports, by sex or view for instance.

    `smallest_group` may be left out; it is 20 then.
    """

    @property
    def stratifications(self) -> Sequence[Stratification]:
        """One per stratum, each with a name of its own."""

    @property
    def smallest_group(self) -> int:
        """Groups of fewer patients are merged before anything is shown or saved."""
