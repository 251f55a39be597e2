"""Images from files and archives, as 8-bit PIL images: PNG (8 and 16 bit), JPEG, TIFF, WebP and DICOM."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ..errors import UnreadableImageError

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
MOST_PIXELS = 150_000_000
"""Beyond this a file is taken for a decompression bomb: a radiograph has 10 to 25 million pixels."""


@dataclass(frozen=True, repr=False)
class StoredImage:
    """An image as it lies on disk: a file, or bytes of an archive or a table. `shown` names it in messages."""

    source: Path | bytes
    shown: str

    def decoded(self) -> Image:
        """The whole picture; `UnreadableImageError` where it is missing or broken."""
        return read_image(self.source, self.shown)

    def digest(self) -> bytes:
        """32 bytes that follow from the stored bytes alone; `UnreadableImageError` where they cannot be read."""
        if isinstance(self.source, bytes):
            return hashlib.blake2b(self.source, digest_size=32).digest()
        with _readable(self.source, self.shown) as stream:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=32)).digest()


def read_image(source: Path | bytes, shown: str) -> Image:
    """Decode one image whole.

    16-bit PNG and TIFF are scaled by 65,535, DICOM as `_dicom` says; 8-bit ones keep their mode. `shown` names the
    image in messages. Raises `UnreadableImageError`.
    """
    if isinstance(source, bytes):
        return _decoded(BytesIO(source), shown)
    with _readable(source, shown) as stream:
        return _decoded(stream, shown)


@contextmanager
def _readable(file: Path, shown: str) -> Iterator[BufferedReader]:
    try:
        with file.open("rb") as stream:
            yield stream
    except FileNotFoundError as error:
        raise UnreadableImageError(
            f"Expected an image, got no such file: {shown}. Copy it there, or choose on_error='skip'."
        ) from error
    except OSError as error:
        raise UnreadableImageError(
            f"Expected a readable image, got {type(error).__name__} for {shown}. Check its permissions and its disk."
        ) from error


def _decoded(stream: BinaryIO, shown: str) -> Image:
    head = stream.read(132)
    stream.seek(0)
    if not head:
        raise _broken(shown, "an empty file")
    if head[128:132] == b"DICM":
        from ._dicom import read_dicom

        return read_dicom(stream, shown)
    from PIL import Image as images
    from PIL import UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", images.DecompressionBombWarning)
            with images.open(stream, formats=_FORMATS) as image:
                _require_size(image.size, shown)
                image.load()
                return _eight_bit(image, shown)
    except (images.DecompressionBombError, images.DecompressionBombWarning) as error:
        raise _broken(shown, "more pixels than a radiograph has, as a decompression bomb has") from error
    except UnidentifiedImageError as error:
        raise _broken(shown, "no PNG, JPEG, TIFF, WebP or DICOM") from error
    except UnreadableImageError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
        raise _broken(shown, f"{type(error).__name__} while it was decoded") from error


def _require_size(size: tuple[int, int], shown: str) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise _broken(shown, f"size={size}, as a decompression bomb has")


def _eight_bit(image: Image, shown: str) -> Image:
    """16 bits scaled by 65,535: the file's own range, the same for all, so that no picture sets its own contrast."""
    if image.mode.startswith("I;16"):
        return from_levels(np.asarray(image, dtype=np.float64), 0, 65535)
    if image.mode == "I":
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise _broken(shown, f"32-bit values from {values.min()} to {values.max()}, which have no known white")
        return from_levels(values.astype(np.float64), 0, 65535)
    if image.mode == "F":
        raise _broken(shown, "floating-point values, which have no known white")
    return image.copy()


def from_levels(values: np.ndarray, black: float, white: float) -> Image:
    """Values on a linear scale from `black` to `white`, clipped and rounded to 0..255."""
    from PIL import Image as images

    scaled = np.clip((values - black) / (white - black), 0, 1) * 255
    return images.fromarray(np.rint(scaled).astype(np.uint8))


def _broken(shown: str, got: str) -> UnreadableImageError:
    return UnreadableImageError(
        f"Expected a whole image, got {got}: {shown}. Copy it again, or choose on_error='skip'."
    )
