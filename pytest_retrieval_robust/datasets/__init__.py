"""Data sets of images with reports: the protocol and what a catalogue entry is.

One file of this folder is one entry: it defines `register(catalogue)` and imports
anything heavy inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..core.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


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
        """One stable id an image, unique within the data set."""

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
        """One patient id an image, for clustered statistics; never written out."""

    def image(self, index: int) -> Image:
        """Image `index` as it lies on disk, undistorted.

        Must be safe to call from several threads.
        """


@runtime_checkable
class KnowsContent(Protocol):
    """A data set that can tell whether an image changed without decoding it, so that a
    second run need not.
    """

    def content_digest(self, index: int) -> bytes:
        """32 bytes that change whenever image `index` comes out differently.

        Safe in several threads.
        """


@dataclass(frozen=True)
class DatasetEntry:
    """A data set of the catalogue: a name, one line about it, how to open it, and what
    may be chosen.
    """

    name: str
    summary: str
    load: Callable[..., RetrievalDataset]
    """Takes the parameters by keyword; what is left out has its default."""
    parameters: Mapping[str, Callable[[str], object]] = field(default_factory=dict)
    """What may stand in parentheses after the name, and what reads its text:
    `{"prevalence": float}`.
    """
    canonical_name: Callable[..., str] | None = None
    """Takes the parameters by keyword and gives the name of the data set that `load`
    opens with them, defaults left out, without opening it; raises `DatasetError` for an
    unfit one. Needed where there are parameters.
    """
    paths: tuple[str, ...] = ()
    """The parameters that are paths: a file that configures the data set writes them
    relative to itself.
    """
    of_files: bool = False
    """Reads the user's own files: `load` takes a `name` too, and `all` and globs mean
    it only where configured.
    """

    def __post_init__(self) -> None:
        if self.parameters and self.canonical_name is None:
            raise ConfigError(
                "Expected canonical_name beside parameters, got canonical_name=None"
                f" for {self.name!r}. Give it: results of different parameters must"
                " have different names."
            )
