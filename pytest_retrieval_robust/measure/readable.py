"""Images opened and prepared by threads, before they are asked for and in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from ..core.device import usable_cores
from ..core.encoding import Prepares, open_image, prepare_image
from ..core.errors import UnreadableImageError
from .abilities import skips_unreadable

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset
    from ..models import DualEncoder

AHEAD = 64
"""Images that are opened before they are asked for."""


class ReadableImage(NamedTuple):
    """An image as a model wants it."""

    number: int
    """Its number in the data set."""
    prepared: Prepares


def readable_images(
    model: DualEncoder, dataset: RetrievalDataset, numbers: Iterable[int], images: int
) -> Generator[ReadableImage]:
    """The first `images` of these that can be read, in order.

    Broken ones are left out if the data set skips them. Errors are raised where the
    image's turn comes. At most `AHEAD` images are opened ahead, and none that is not
    needed unless one before it is broken. To be closed by its caller.
    """
    remaining = iter(numbers)
    waiting: deque[Future[ReadableImage | None]] = deque()
    missing = images
    pool = ThreadPoolExecutor(usable_cores())
    try:
        while missing > 0:
            while len(waiting) < min(missing, AHEAD):
                number = next(remaining, None)
                if number is None:
                    break
                waiting.append(pool.submit(_read, model, dataset, number))
            if not waiting:
                return
            image = waiting.popleft().result()
            if image is not None:
                missing -= 1
                yield image
    finally:
        pool.shutdown(cancel_futures=True)


def _read(
    model: DualEncoder, dataset: RetrievalDataset, number: int
) -> ReadableImage | None:
    """None for a broken image that the data set skips."""
    try:
        image = open_image(dataset, number, f"its image number {number}")
    except UnreadableImageError:
        if not skips_unreadable(dataset):
            raise
        return None
    return ReadableImage(number, prepare_image(model, image))
