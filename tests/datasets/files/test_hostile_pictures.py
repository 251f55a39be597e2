"""Pictures that would hang, fill the memory, or have a library say what stands in them."""

from __future__ import annotations

import io
import logging
import os
import random
import socket
import struct
import threading
import traceback
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from pytest_retrieval_robust.core.errors import DatasetError, UnreadableImageError
from pytest_retrieval_robust.datasets._files.mask_folder import open_masks
from pytest_retrieval_robust.datasets._pixels.quiet import quiet
from pytest_retrieval_robust.datasets._pixels.stored_image import (
    StoredImage,
    read_image,
)

from .pictures import Page, chunk, encoded, oriented, png_claiming, tiff
from .test_dicom import GRADIENT, baseline, make_dicom, whole_file
from .trees import picture

PATIENT = "DOE JANE"
WINDOW = {"WindowCenter": 2000, "WindowWidth": 1500}

# --- what is no file


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def socket_at(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
    return path


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (fifo, "a FIFO"),
        (lambda _: Path("/dev/zero"), "a device"),
        (lambda _: Path("/dev/null"), "a device"),
        (lambda path: path.parent, "a folder"),
    ],
)
@pytest.mark.parametrize("use", [StoredImage.decoded, StoredImage.digest])
def test_what_is_no_file_is_refused_at_once(
    tmp_path: Path, make: Any, kind: str, use: Any
) -> None:
    image = StoredImage(make(tmp_path / "a.png"), "row 1 of its table")
    with pytest.raises(
        UnreadableImageError,
        match=f"an image, got {kind} where a file is expected: row 1 of its",
    ):
        use(image)


def test_a_socket_is_no_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may have 108 characters
    socket_at(Path("a"))
    with pytest.raises(
        UnreadableImageError, match="got a socket where a file is expected"
    ):
        read_image(Path("a"), "row 1")


def test_a_link_to_a_fifo_is_no_image_either(tmp_path: Path) -> None:
    fifo(tmp_path / "a")
    (tmp_path / "b.png").symlink_to(tmp_path / "a")
    with pytest.raises(UnreadableImageError, match="got a FIFO"):
        read_image(tmp_path / "b.png", "row 1")


def test_links_in_a_circle_and_null_bytes_name_no_path(tmp_path: Path) -> None:
    (tmp_path / "doe.png").symlink_to(tmp_path / "doe.png")
    for path in (tmp_path / "doe.png", Path("doe\0.png")):
        with pytest.raises(
            UnreadableImageError, match=r"a readable image, got \w+: row 1"
        ) as caught:
            read_image(path, "row 1")
        assert "doe" not in str(caught.value)
        assert caught.value.__context__ is None


# --- what claims to be large


@contextmanager
def little_memory() -> Iterator[None]:
    """Fails where 64 MiB are allocated at once inside."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def of_stream(stream: bytes, syntax: Any) -> bytes:
    file = make_dicom(GRADIENT.astype(np.uint8))
    file.PixelData = encapsulate([stream])
    file.file_meta.TransferSyntaxUID = syntax
    return whole_file(file)


def jpeg_2000_of(columns: int, rows: int) -> bytes:
    size = (
        struct.pack(">HIIIIIIIIH", 0, columns, rows, 0, 0, columns, rows, 0, 0, 1)
        + b"\x07\1\1"
    )
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size + b"\xff\xd9"


def jpeg_of(columns: int, rows: int) -> bytes:
    header = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, rows, columns, 1) + b"\1\x11\0"
    return (
        b"\xff\xd8\xff\xe0\0\4\0\0" + header + b"\xff\xda\0\x08\1\1\0\0\x3f\0\xff\xd9"
    )


def long_element() -> bytes:
    """A data set whose pixels are 4 GiB long by its own word."""
    content = whole_file(make_dicom(GRADIENT))
    position = content.index(b"\xe0\x7f\x10\0OW") + 8
    return content[:position] + struct.pack("<I", 0xFFFFFFFE) + content[position + 4 :]


def tiff_claiming(columns: int, rows: int) -> bytes:
    content = tiff(Page(np.zeros((2, 2), dtype=np.uint8)))
    for tag, value in ((256, columns), (257, rows)):
        entry = struct.pack("<HHII", tag, 4, 1, 2)
        content = content.replace(entry, struct.pack("<HHII", tag, 4, 1, value))
    return content


def webp_claiming(columns: int, rows: int) -> bytes:
    """An extended WebP whose canvas is of that size."""
    header = (
        struct.pack("<I", 0x10)[:4]
        + (columns - 1).to_bytes(3, "little")
        + (rows - 1).to_bytes(3, "little")
    )
    chunks = b"VP8X" + struct.pack("<I", len(header)) + header
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


CLAIMS: dict[str, Callable[[], bytes]] = {
    "dicom-of-16-gb": lambda: whole_file(
        make_dicom(GRADIENT, Rows=65535, Columns=65535, BitsAllocated=32)
    ),
    "dicom-frames": lambda: whole_file(make_dicom(GRADIENT, NumberOfFrames=2**31 - 1)),
    "dicom-jpeg-2000": lambda: of_stream(jpeg_2000_of(2**31, 2**31), JPEG2000Lossless),
    "dicom-jpeg": lambda: of_stream(jpeg_of(65535, 65535), JPEGBaseline8Bit),
    "dicom-rle": lambda: of_stream(
        b"\1\0\0\0\x40\0\0\0" + b"\0" * 56 + b"\x81\0" * 2_000_000, RLELossless
    ),
    "png": lambda: png_claiming(2**31 - 1, 2**31 - 1),
    "tiff": lambda: tiff_claiming(2**31 - 1, 2**31 - 1),
    "webp": lambda: webp_claiming(1 << 24, 256),
    "jpeg": lambda: jpeg_of(65535, 65535),
    "png-text": lambda: png_claiming(
        8, 8, chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * (200 << 20)))
    ),
    "png-profile": lambda: png_claiming(
        8, 8, chunk(b"iCCP", b"a\0\0" + zlib.compress(b"\0" * (200 << 20)))
    ),
    "png-texts": lambda: png_claiming(
        8, 8, *[chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 900_000))] * 100
    ),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_header_that_claims_much_allocates_little(name: str) -> None:
    content = CLAIMS[name]()
    with little_memory(), pytest.raises(UnreadableImageError):
        read_image(content, "row 1")


def test_an_element_that_claims_4_gib_allocates_little() -> None:
    with little_memory():
        assert np.asarray(read_image(long_element(), "row 1")).shape == GRADIENT.shape


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.dcm").open("wb") as stream:
        stream.write(whole_file(make_dicom(GRADIENT)))
        stream.truncate((1 << 30) + 1)  # takes no room on the disk
    with (
        little_memory(),
        pytest.raises(UnreadableImageError, match="a file of at most 1073741824 bytes"),
    ):
        read_image(tmp_path / "a.dcm", "row 1")


def test_sequences_in_sequences_without_end_are_refused() -> None:
    item = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"
    with pytest.raises(UnreadableImageError):
        read_image(whole_file(make_dicom(GRADIENT), item * 20_000), "row 1")


# --- what libraries say


@contextmanager
def all_that_is_said() -> Iterator[list[str]]:
    """Warnings and log records of every level, as texts."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    root = logging.getLogger()
    listener = Listener()
    level = root.level
    root.addHandler(listener)
    root.setLevel(1)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield said
            said += [str(warning.message) for warning in caught]
    finally:
        root.removeHandler(listener)
        root.setLevel(level)


@pytest.fixture
def a_talkative_dicom() -> bytes:
    """pydicom warns of words that are not the standard's, and quotes them: a patient's
    name after a damaged length.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return whole_file(
            make_dicom(
                GRADIENT, **WINDOW, SpecificCharacterSet=PATIENT, PatientName="x"
            )
        )


@pytest.fixture
def a_talkative_tiff() -> bytes:
    exif = Image.Exif()
    exif[270] = PATIENT  # the description
    return encoded(picture(), "TIFF", exif=exif)


def test_pydicom_says_nothing_of_what_it_reads(a_talkative_dicom: bytes) -> None:
    with all_that_is_said() as said:
        assert pydicom.dcmread(io.BytesIO(a_talkative_dicom)).PatientName == "x"
    assert sum(PATIENT in text for text in said) >= 2  # a warning and a log record
    with all_that_is_said() as said:
        read_image(a_talkative_dicom, "row 1")
    assert said == []


def test_pillow_says_nothing_of_what_it_reads(a_talkative_tiff: bytes) -> None:
    with all_that_is_said() as said:
        Image.open(io.BytesIO(a_talkative_tiff)).load()
    assert any(PATIENT in text for text in said)
    with all_that_is_said() as said:
        read_image(a_talkative_tiff, "row 1")
    assert said == []


@pytest.mark.filterwarnings("error")
def test_a_picture_is_read_where_warnings_are_errors() -> None:
    file = make_dicom(GRADIENT, **WINDOW)
    file.PixelData += b"\0" * 64  # pydicom warns of it
    assert np.asarray(read_image(whole_file(file), "row 1")).shape == (8, 8)


def test_others_may_speak_and_all_is_as_it_was_afterwards() -> None:
    loggers = [logging.getLogger(name) for name in ("pydicom", "PIL")]
    before = [logger.level for logger in loggers]
    with all_that_is_said() as said:
        filters = list(warnings.filters)
        with quiet(), quiet():
            warnings.warn("an encoder's own", stacklevel=1)
            logging.getLogger("encoder").info("its record")
            logging.getLogger("pydicom.pixels").critical(PATIENT)
        assert list(warnings.filters) == filters
        logging.getLogger("pydicom.pixels").warning("outside")
    assert sorted(said) == ["an encoder's own", "its record", "outside"]
    assert [logger.level for logger in loggers] == before


def test_many_threads_keep_quiet_together(
    a_talkative_dicom: bytes, a_talkative_tiff: bytes
) -> None:
    problems: list[BaseException] = []

    def reads() -> None:
        try:
            for _ in range(40):
                read_image(a_talkative_tiff, "row 1")
                read_image(a_talkative_dicom, "row 1")
        except BaseException as error:
            problems.append(error)

    before = list(warnings.filters)
    with all_that_is_said() as said:
        threads = [threading.Thread(target=reads) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert problems == []
    assert said == []
    assert list(warnings.filters) == before


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_picture_that_was_cut_short_is_refused_whatever_training_code_told_pillow(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import ImageFile

    content = encoded(
        picture(size=(200, 200)),
        kind,
        **({"compression": "tiff_lzw"} if kind == "TIFF" else {}),
    )
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(UnreadableImageError):
        read_image(content[: len(content) // 2], "row 1")
    assert ImageFile.LOAD_TRUNCATED_IMAGES


def test_no_local_variable_of_an_error_holds_a_path_or_an_id(tmp_path: Path) -> None:
    """pytest shows them with --showlocals."""
    (tmp_path / "doe").mkdir()
    (tmp_path / "doe" / "a.png").write_bytes(b"broken")
    (tmp_path / "masks" / "lungs" / "doe").mkdir(parents=True)
    (tmp_path / "masks" / "lungs" / "doe" / "a.png").write_bytes(b"broken")
    masks = open_masks(tmp_path / "masks", ["doe/a.png"], name="table")
    uses: list[Callable[[], object]] = [
        StoredImage(tmp_path / "doe" / "a.png", "row 1").decoded,
        StoredImage(tmp_path / "doe", "row 1").digest,
        lambda: read_image(tmp_path / "doe" / "a.png", "row 1"),
        lambda: masks.read("doe/a.png", lambda: (8, 8), "row 1"),
    ]
    for use in uses:
        with pytest.raises(DatasetError) as caught:
            use()
        frames = [
            frame.f_locals for frame, _ in traceback.walk_tb(caught.value.__traceback__)
        ][1:]
        own = [
            values
            for values in frames
            if "uses" not in values and "tmp_path" not in values
        ]
        assert own
        assert "doe" not in repr(own)


# --- anything


def seeds() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[270] = PATIENT
    texts = PngInfo()
    texts.add_text("Patient", PATIENT, zip=True)
    deep = Image.fromarray(
        np.random.default_rng(0).integers(0, 65536, (24, 32), dtype=np.uint16)
    )
    rle = make_dicom(GRADIENT, **WINDOW)
    rle.compress(RLELossless)
    named = {"PatientName": PATIENT, "PatientID": PATIENT}
    return {
        "png": encoded(picture(), "PNG", exif=exif, pnginfo=texts),
        "png-16": encoded(deep, "PNG"),
        "jpeg": oriented(picture(), "JPEG", 6),
        "tiff": encoded(picture(), "TIFF", exif=exif),
        "tiff-16": encoded(deep, "TIFF"),
        "webp": oriented(picture(), "WEBP", 3),
        "dicom": whole_file(make_dicom(GRADIENT, **WINDOW, **named)),
        "dicom-bare": whole_file(make_dicom(GRADIENT, **WINDOW, **named))[132:],
        "dicom-rle": whole_file(rle),
        "dicom-jpeg": whole_file(baseline()),
    }


def mutated(content: bytes, choose: random.Random) -> bytes:
    changed = bytearray(content)
    position = choose.randrange(len(changed))
    way = choose.randrange(4)
    if way == 0:
        for _ in range(choose.randint(1, 8)):
            changed[choose.randrange(len(changed))] = choose.randrange(256)
    elif way == 1:
        del changed[position:]
    elif way == 2:
        changed[position:position] = choose.randbytes(choose.randint(1, 40))
    else:
        changed[position : position + 4] = choose.choice(
            (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff")
        )
    return bytes(changed)


@pytest.mark.parametrize("name", seeds())
def test_damaged_pictures_are_read_or_refused_and_nothing_is_said(name: str) -> None:
    content = seeds()[name]
    choose = random.Random(name)
    read_image(content, "row 1")
    with all_that_is_said() as said:
        for _ in range(150):
            picture, error = outcome_of(mutated(content, choose))
            if picture is not None:
                assert picture.convert("RGB").size == picture.size
                continue
            assert error is not None
            assert error.__cause__ is None
            assert error.__context__ is None
            assert "DOE" not in str(error)
    assert said == []


def outcome_of(
    content: bytes,
) -> tuple[Image.Image | None, UnreadableImageError | None]:
    try:
        return read_image(content, "row 1"), None
    except UnreadableImageError as error:
        return None, error
