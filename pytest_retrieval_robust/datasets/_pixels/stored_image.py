"""Images from files and archives, as 8-bit PIL images: PNG, JPEG, TIFF, WebP, DICOM, .npz."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from ...core.errors import DatasetError, UnreadableImageError
from ...core.files import NotRegularError, open_regular
from ...core.foreign import FOREIGN, let_go
from .damage import kind_of
from .quiet import quiet
from .refusals import COPY_AGAIN, SKIP, Refused, require_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

Answer = TypeVar("Answer")

_HEAD_BYTES = 132
"""A DICOM file has a preamble of 128 bytes before its prefix of 4."""
_PREFIX = b"DICM"
_ZIP = b"PK\x03\x04"
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
"""The groups that a DICOM file without a preamble begins with, in both byte orders."""
_HASHED_AT_ONCE = 1 << 20


@dataclass(frozen=True, repr=False)
class StoredImage:
    """An image as it lies on disk: a file, or bytes of an archive or a table."""

    source: Path | bytes
    where: str
    """How messages name the image."""
    bits: int | None = None
    """How many bits white has in grey pictures of more than 8 bits, if the files do not
    say it.
    """
    array: str | None = None
    """The array that is the picture, if the file is an archive of arrays (.npz)."""

    def decoded(self) -> Image:
        """The whole picture; `UnreadableImageError` if it is missing or broken."""
        return _or_raise(self._attempt(self._decode))

    def content(self) -> bytes:
        """The stored bytes; `UnreadableImageError` if they cannot be read."""
        return _or_raise(self._attempt(_whole))

    def digest(self) -> bytes:
        """32 bytes that follow from the stored bytes, `bits` and `array`.

        Raises `UnreadableImageError` if the bytes cannot be read.
        """
        return _or_raise(self._attempt(self._hash))

    def _decode(self, stream: BinaryIO) -> Image:
        return _decoded(stream, self.bits, self.array)

    def _hash(self, stream: BinaryIO) -> bytes:
        require_bytes(stream)
        person = b"" if self.bits is None else b"bits %d" % self.bits
        salt = b"" if self.array is None else b"array"
        digest = hashlib.blake2b(digest_size=32, person=person, salt=salt)
        if self.array is not None:
            digest.update(self.array.encode() + b"\0")
        while part := stream.read(_HASHED_AT_ONCE):
            digest.update(part)
        return digest.digest()

    def _attempt(self, use: Callable[[BinaryIO], Answer]) -> Answer | DatasetError:
        """What `use` makes of the file, or our own error.

        The error is returned, not raised: raised inside a handler, it would carry the
        foreign one, whose text may quote the file.
        """
        try:
            if isinstance(self.source, bytes):
                return use(BytesIO(self.source))
            with open_regular(self.source) as stream:
                return use(stream)
        except Refused as refused:
            problem = refused.named(self.where)
            let_go(refused)
        except FileNotFoundError:
            problem = UnreadableImageError(
                f"Expected an image, got no such file: {self.where}. Copy it there,"
                f" {SKIP}"
            )
        except NotRegularError as error:
            problem = UnreadableImageError(
                f"Expected an image, got {error}: {self.where}. Put the image's file"
                f" there, {SKIP}"
            )
        except FOREIGN as error:
            problem = UnreadableImageError(
                f"Expected a readable image, got {kind_of(error)}: {self.where}. Check"
                f" its permissions and its disk, {SKIP}"
            )
            let_go(error)
        return problem


def _whole(stream: BinaryIO) -> bytes:
    require_bytes(stream)
    return stream.read()


def _or_raise(outcome: Answer | DatasetError) -> Answer:
    """The answer, or the error raised.

    It is raised here, where no local variable holds a path: pytest can show them all.
    """
    if isinstance(outcome, DatasetError):
        raise outcome
    return outcome


def require_bits(bits: object) -> None:
    """Raise `DatasetError` for an option `bits` that no picture can have."""
    if bits is None:
        return
    if isinstance(bits, int) and not isinstance(bits, bool) and 9 <= bits <= 32:
        return
    raise DatasetError(
        "Expected the number of bits that white has in the pictures, 9 to 32, got"
        f" bits={bits!r}. Leave it out for pictures of 8 bits, and if white is the"
        " greatest value that their files can hold."
    )


def read_image(source: Path | bytes, where: str, bits: int | None = None) -> Image:
    """Decode the one picture of a file: whole, upright, in 8 bits.

    `bits` says how many bits white has in grey PNG and TIFF files of more than 8 bits;
    DICOM files say it themselves. `where` names the image in messages. Raises
    `UnreadableImageError`, and `DatasetError` if a library is missing.
    """
    image = StoredImage(source, where, bits)
    # Pytest can show this frame's variables: a path may be a patient's name.
    del source
    return image.decoded()


def _decoded(stream: BinaryIO, bits: int | None, array: str | None) -> Image:
    require_bytes(stream)
    head = stream.read(_HEAD_BYTES)
    stream.seek(0)
    if not head:
        raise Refused("a whole image", "an empty file")
    try:
        with quiet():
            if is_zip(head):
                return _array(stream, array)
            return _picture(stream, head, bits)
    except Refused:
        raise
    # Pillow, pydicom and the codecs raise two dozen types for damaged files.
    except FOREIGN as error:
        got = f"{kind_of(error)} while it was decoded"
        let_go(error)
    raise Refused("a whole image", got, COPY_AGAIN)


def _array(stream: BinaryIO, array: str | None) -> Image:
    from .npz import read_npz

    if array is None:
        raise Refused(
            "a picture",
            "an archive, of which no array is named",
            f"Unpack it, give the loader table array=NAME if it is .npz, {SKIP}",
        )
    return read_npz(stream, array)


def _picture(stream: BinaryIO, head: bytes, bits: int | None) -> Image:
    if is_dicom(head):
        from .dicom import read_dicom

        return read_dicom(stream)
    from .raster import read_raster

    return read_raster(stream, bits)


def is_zip(head: bytes) -> bool:
    """Whether a file begins as an archive of NumPy arrays does."""
    return head.startswith(_ZIP)


def is_dicom(head: bytes) -> bool:
    """Whether a file begins as DICOM does: with its preamble and prefix, or at once with
    a data element.

    The standard does not allow files without a preamble; DCMTK reads them, and archives
    hold them.
    """
    if head[128:132] == _PREFIX:
        return True
    if head[:2] not in _FIRST_GROUPS or len(head) < 8:
        return False
    # A tag takes four bytes. Two letters follow in explicit representation; in implicit
    # one a length of four bytes, which is short for a first element.
    representation = head[4:6]
    has_representation = representation.isalpha() and representation.isupper()
    is_short = head[6:8] == b"\0\0"
    return has_representation or is_short
