"""The JPEG that an image is decoded from, for those who decode it by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..core.fresh import has_new_memory

if TYPE_CHECKING:
    from . import RetrievalDataset


@dataclass(frozen=True, repr=False)
class PlainJpeg:
    """A whole file that any decoder shows alike, but for rounding."""

    content: bytes
    mode: Literal["L", "RGB"]


def plain_jpeg_of(dataset: RetrievalDataset, index: int) -> PlainJpeg | None:
    """The JPEG of image `index`; None for any other file, or if it is not certain.

    It is for readers of this package. A subclass's or a wrapper's own `image` may show
    something else than the file does. Raises as `image` does.
    """
    from ._files.report_dataset import ReportDataset
    from ._pixels.plain_jpeg import mode_of_plain_jpeg

    method = dataset.image
    if not has_new_memory(method):
        return None
    reader = getattr(method, "__self__", None)
    if not isinstance(reader, ReportDataset):
        return None
    content = reader.content(index)
    mode = None if content is None else mode_of_plain_jpeg(content)
    return None if content is None or mode is None else PlainJpeg(content, mode)
