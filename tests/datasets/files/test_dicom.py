"""DICOM images against the standard's formulas, written out in float64 (PS3.3 C.7.6.3,
C.11.1, C.11.2.1.2).
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from pytest_retrieval_robust.core.errors import DatasetError, UnreadableImageError
from pytest_retrieval_robust.datasets._pixels.stored_image import read_image

GRADIENT = np.arange(64, dtype=np.uint16).reshape(8, 8) * 64  # 0..4032, 12 bits


def make_dicom(pixels: np.ndarray[Any, Any], **tags: Any) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID = SecondaryCaptureImageStorage
    file.SOPInstanceUID = "1.2.3"
    file.Rows, file.Columns = pixels.shape[:2]
    file.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    file.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    file.BitsAllocated = pixels.itemsize * 8
    file.BitsStored = 12 if pixels.itemsize == 2 else 8
    file.PixelRepresentation = int(pixels.dtype.kind == "i")
    if pixels.ndim == 3:
        file.PlanarConfiguration = 0
    for name, value in tags.items():
        setattr(file, name, value)
    if "HighBit" not in tags:
        file.HighBit = file.BitsStored - 1
    file.PixelData = pixels.tobytes()
    return file


def save_dicom(path: Path, pixels: np.ndarray[Any, Any], **tags: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    make_dicom(pixels, **tags).save_as(path, enforce_file_format=True)
    return path


def bare(file: FileDataset) -> bytes:
    """The data set alone, as files without preamble and meta information have it."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    syntax = file.file_meta.TransferSyntaxUID
    buffer = DicomBytesIO()
    buffer.is_little_endian = not syntax.is_transfer_syntax or syntax.is_little_endian
    buffer.is_implicit_VR = syntax.is_transfer_syntax and syntax.is_implicit_VR
    write_dataset(buffer, file)
    return buffer.getvalue()


def whole_file(file: FileDataset, data_set: bytes | None = None) -> bytes:
    """Preamble, prefix, the transfer syntax and the data set, in whatever byte order."""
    syntax = file.file_meta.TransferSyntaxUID.encode()
    syntax += b"\0" * (len(syntax) % 2)
    element = b"\x02\0\x10\0UI" + len(syntax).to_bytes(2, "little") + syntax
    return (
        b"\0" * 128 + b"DICM" + element + (bare(file) if data_set is None else data_set)
    )


def read(file: FileDataset) -> np.ndarray[Any, Any]:
    return np.asarray(read_image(whole_file(file), "the image"))


def windowed(
    values: np.ndarray[Any, Any], center: float, width: float
) -> np.ndarray[Any, Any]:
    """C.11.2.1.2.1's linear function, to 0..1."""
    values = values.astype(np.float64)
    return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


def close(ours: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> bool:
    return bool(np.abs(ours.astype(float) - expected * 255).max() <= 0.5 + 1e-6)


def test_a_window() -> None:
    file = make_dicom(GRADIENT, WindowCenter=2000, WindowWidth=1500)
    assert close(read(file), windowed(GRADIENT, 2000, 1500))


def test_the_first_of_several_windows() -> None:
    file = make_dicom(GRADIENT, WindowCenter=[2000, 1000], WindowWidth=[1500, 100])
    assert close(read(file), windowed(GRADIENT, 2000, 1500))


def test_a_rescale_comes_before_the_window() -> None:
    file = make_dicom(
        GRADIENT,
        WindowCenter=1000,
        WindowWidth=3000,
        RescaleSlope=2,
        RescaleIntercept=-1024,
    )
    assert close(read(file), windowed(GRADIENT * 2.0 - 1024, 1000, 3000))


def test_signed_values() -> None:
    pixels = (GRADIENT.astype(np.int16) - 2048).astype(np.int16)
    assert close(
        read(make_dicom(pixels, WindowCenter=0, WindowWidth=2000)),
        windowed(pixels, 0, 2000),
    )


def test_monochrome1_is_inverted() -> None:
    file = make_dicom(
        GRADIENT,
        WindowCenter=2000,
        WindowWidth=1500,
        PhotometricInterpretation="MONOCHROME1",
    )
    assert close(read(file), 1 - windowed(GRADIENT, 2000, 1500))
    plain = make_dicom(GRADIENT, PhotometricInterpretation="MONOCHROME1")
    assert read(plain)[0, 0] == 255
    assert read(plain)[-1, -1] == 0


@pytest.mark.parametrize("stored", [10, 12, 16])
def test_without_a_window_the_values_own_range_is_shown(stored: int) -> None:
    pixels = (GRADIENT.astype(np.float64) / 4032 * (2**stored - 1) * 0.5).astype(
        np.uint16
    )
    expected = (pixels - pixels.min()) / (pixels.max() - pixels.min())
    assert close(read(make_dicom(pixels, BitsStored=stored)), expected)


def test_one_level_all_over() -> None:
    assert read(make_dicom(np.full((4, 4), 7, dtype=np.uint16))).max() == 0


def look_up(
    table: np.ndarray[Any, Any], first: int, bits: int, *, packed: bool = False
) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(table), first, bits])
    if packed:
        item.add_new("LUTData", "OW", table.astype("<u2").tobytes())
    else:
        item.add_new("LUTData", "US", table.tolist())
    item.add_new("ModalityLUTType", "LO", "US")
    return item


@pytest.mark.parametrize("packed", [False, True])
def test_a_voi_table(packed: bool) -> None:
    table = (np.arange(4096) // 16)[::-1].astype(np.uint16)  # inverts, to 8 bits
    item = look_up(table, 0, 8, packed=packed)
    file = make_dicom(
        GRADIENT, VOILUTSequence=[item], WindowCenter=2000, WindowWidth=10
    )
    assert close(read(file), table[GRADIENT] / 255)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("first", "count"), [(0, 4096), (100, 3000)])
def test_a_modality_table(packed: bool, first: int, count: int) -> None:
    """Values below the first entry and beyond the last take those."""
    table = (np.arange(4096) // 4).astype(np.uint16)[:count]
    item = look_up(table, first, 10, packed=packed)
    file = make_dicom(
        GRADIENT, ModalityLUTSequence=[item], WindowCenter=500, WindowWidth=400
    )
    expected = table[np.clip(GRADIENT.astype(int) - first, 0, count - 1)]
    assert close(read(file), windowed(expected, 500, 400))


def test_colour() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(read(make_dicom(pixels)), pixels)


def test_lossless_compression() -> None:
    plain = read(make_dicom(GRADIENT, WindowCenter=2000, WindowWidth=1500))
    packed = make_dicom(GRADIENT, WindowCenter=2000, WindowWidth=1500)
    packed.compress(RLELossless)
    assert np.array_equal(read(packed), plain)
    image = io.BytesIO()
    Image.fromarray(GRADIENT).save(image, "JPEG2000", irreversible=False, no_jp2=True)
    packed = make_dicom(GRADIENT, WindowCenter=2000, WindowWidth=1500, BitsStored=16)
    packed.PixelData = encapsulate([image.getvalue()])
    packed.file_meta.TransferSyntaxUID = JPEG2000Lossless
    assert np.array_equal(read(packed), plain)


def baseline() -> FileDataset:
    grey = (GRADIENT // 16).astype(np.uint8)
    image = io.BytesIO()
    Image.fromarray(grey).save(image, "JPEG", quality=95)
    packed = make_dicom(grey)
    packed.PixelData = encapsulate([image.getvalue()])
    packed.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return packed


def test_jpeg() -> None:
    expected = GRADIENT // 16 / (4032 // 16)
    assert np.abs(read(baseline()) - expected * 255).max() < 12


def test_a_codec_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom.pixels.decoders.base import get_decoder

    monkeypatch.setattr(get_decoder(JPEGBaseline8Bit), "_available", {})
    with pytest.raises(
        DatasetError,
        match=r"codec for the transfer syntax JPEG Baseline.*robust\[dicom\]",
    ) as caught:
        read(baseline())
    assert not isinstance(
        caught.value, UnreadableImageError
    )  # nothing that skipping would be an answer to


def test_no_pydicom(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(
        DatasetError, match=r"pip install pytest-retrieval-robust\[dicom\]"
    ):
        read(make_dicom(GRADIENT))


def truncated() -> FileDataset:
    file = make_dicom(GRADIENT)
    file.PixelData = file.PixelData[:60]
    return file


def without_pixels() -> FileDataset:
    file = make_dicom(GRADIENT)
    del file.PixelData
    return file


def with_floats() -> FileDataset:
    file = without_pixels()
    file.FloatPixelData = np.zeros(64, dtype=np.float32).tobytes()
    return file


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (truncated, "whole DICOM image"),
        (without_pixels, "one without pixels"),
        (
            lambda: make_dicom(GRADIENT, NumberOfFrames=2),
            "one picture per file, got 2 frames",
        ),
        (
            lambda: make_dicom(GRADIENT, PhotometricInterpretation="DOE JANE"),
            "PhotometricInterpretation MONOCHROME1, .*, got none of the standard's",
        ),
        (
            lambda: make_dicom(GRADIENT, PhotometricInterpretation="HSV"),
            "got PhotometricInterpretation=HSV",
        ),
        (
            lambda: make_dicom(GRADIENT, SamplesPerPixel=3),
            "SamplesPerPixel=1 of a picture in MONOCHROME2, got 3",
        ),
        (
            lambda: make_dicom(GRADIENT, SamplesPerPixel=None),
            "SamplesPerPixel=1 .*, got None",
        ),
        (
            lambda: make_dicom(GRADIENT, PixelRepresentation=None),
            "PixelRepresentation 0 or 1, got None",
        ),
        (
            lambda: make_dicom(GRADIENT, RescaleSlope="1e307", RescaleIntercept=0),
            "one that overflows",
        ),
        (
            lambda: make_dicom(GRADIENT, HighBit=15),
            "HighBit=11 beside BitsStored=12, got 15",
        ),
        (
            lambda: make_dicom(GRADIENT, BitsStored=20),
            "BitsStored from 1 to 16, got 20",
        ),
        (lambda: make_dicom(GRADIENT, Rows=0), "Rows=0"),
        (
            lambda: make_dicom(GRADIENT, WindowCenter=1, WindowWidth=0),
            "WindowWidth of 1 or more, got 0",
        ),
        (
            lambda: make_dicom(
                GRADIENT, WindowCenter=1, WindowWidth=-2, VOILUTFunction="SIGMOID"
            ),
            "more than 0, got -2",
        ),
        (
            lambda: make_dicom(
                GRADIENT, WindowCenter=1, WindowWidth=2, VOILUTFunction="DOE"
            ),
            "VOILUTFunction .*, got another one",
        ),
        (
            lambda: make_dicom(GRADIENT, PresentationLUTShape="LIN OD"),
            "IDENTITY or INVERSE, got another one",
        ),
        (with_floats, "floating-point pixels"),
    ],
)
def test_what_is_no_radiograph(make: Any, said: str) -> None:
    with pytest.raises(UnreadableImageError, match=said) as caught:
        read(make())
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "DOE" not in str(caught.value)


def test_the_librarys_own_test_file() -> None:
    """A CT slice that ships with pydicom, against its raw values."""
    from pydicom.data import get_testdata_file

    path = str(get_testdata_file("CT_small.dcm"))
    file = pydicom.dcmread(path)
    values = file.pixel_array.astype(float) * float(file.RescaleSlope) + float(
        file.RescaleIntercept
    )
    expected = (values - values.min()) / (values.max() - values.min())
    assert close(np.asarray(read_image(Path(path), "CT")), expected)


# --- what headers say, and what they leave out. Figures are those of DCMTK 3.6.7
# (dcmj2pnm), but where it is said.

STEPS = np.array([[0, 1000, 2000, 3000]], dtype=np.uint16)
WINDOW = {"WindowCenter": 1500, "WindowWidth": 3000}


def of_steps(pixels: np.ndarray[Any, Any] = STEPS, /, **tags: Any) -> list[int]:
    return [int(level) for level in read(make_dicom(pixels, **tags))[0]]


PLAIN = [0, 85, 170, 255]


@pytest.mark.parametrize(
    ("rescale", "seen"),
    [
        ({}, PLAIN),
        ({"RescaleSlope": 2, "RescaleIntercept": 0}, [0, 170, 255, 255]),
        ({"RescaleSlope": 2}, PLAIN),
        ({"RescaleSlope": 0.5}, PLAIN),
        ({"RescaleIntercept": -1000}, PLAIN),
        ({"RescaleSlope": None, "RescaleIntercept": None}, PLAIN),
        ({"RescaleSlope": 2, "RescaleIntercept": None}, PLAIN),
        ({"RescaleSlope": None, "RescaleIntercept": 5}, PLAIN),
        ({"RescaleSlope": 0, "RescaleIntercept": 5}, PLAIN),
        ({"RescaleSlope": -1, "RescaleIntercept": 3000}, PLAIN[::-1]),
    ],
)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_slope_and_intercept_count_where_both_are_there(
    rescale: Any, seen: list[int], photometric: str
) -> None:
    levels = of_steps(**WINDOW, **rescale, PhotometricInterpretation=photometric)
    expected = seen if photometric == "MONOCHROME2" else [255 - level for level in seen]
    assert np.abs(np.subtract(levels, expected)).max() <= 1


@pytest.mark.parametrize(
    "key", ["RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"]
)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
@pytest.mark.filterwarnings("ignore")  # pydicom's, when the file is made
def test_numbers_that_are_none_are_refused(key: str, value: str) -> None:
    tags = {**WINDOW, "RescaleSlope": 1, "RescaleIntercept": 0, key: value}
    with pytest.raises(
        UnreadableImageError,
        match=f"finite numbers in a DICOM header, got {key}=-?(nan|inf)",
    ):
        of_steps(**tags)


@pytest.mark.parametrize(
    "window", [{"WindowCenter": 1500}, {"WindowWidth": 3000}, dict.fromkeys(WINDOW)]
)
def test_half_a_window_is_none(window: Any) -> None:
    assert of_steps(**window) == PLAIN


SIGMOID = [30, 87, 169, 225]
"""255 / (1 + exp(-4 (x - 1500) / 3000)), C.11.2.1.3.1."""


@pytest.mark.filterwarnings("ignore")  # pydicom's, when the file is made
@pytest.mark.parametrize(
    ("function", "seen"),
    [
        ("", PLAIN),
        ("LINEAR", PLAIN),
        ("linear", PLAIN),
        ("LINEAR_EXACT", PLAIN),
        (" linear_exact ", PLAIN),
        ("SIGMOID", SIGMOID),
        ("sigmoid", SIGMOID),
        (" SIGMOID", SIGMOID),
        (["SIGMOID", "SIGMOID"], SIGMOID),
        (["SIGMOID", "LINEAR"], SIGMOID),
    ],
)
def test_a_voi_function_is_told_however_it_is_written(
    function: Any, seen: list[int]
) -> None:
    levels = of_steps(**WINDOW, VOILUTFunction=function)
    assert np.abs(np.subtract(levels, seen)).max() <= 1


def test_a_linear_and_an_exact_window_differ() -> None:
    pixels = np.array([[9, 10, 11, 12]], dtype=np.uint16)
    assert of_steps(pixels, WindowCenter=11, WindowWidth=2) == [0, 0, 255, 255]
    assert of_steps(
        pixels, WindowCenter=11, WindowWidth=2, VOILUTFunction="LINEAR_EXACT"
    ) == [0, 0, 128, 255]
    assert of_steps(pixels, WindowCenter=11, WindowWidth=1) == [0, 0, 255, 255]


def test_a_steep_sigmoid_warns_of_nothing(recwarn: pytest.WarningsRecorder) -> None:
    assert of_steps(WindowCenter=1500, WindowWidth=0.01, VOILUTFunction="SIGMOID") == [
        0,
        0,
        255,
        255,
    ]
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize(
    ("shape", "photometric", "inverted"),
    [
        (None, "MONOCHROME1", True),
        (None, "MONOCHROME2", False),
        ("", "MONOCHROME1", True),
        ("INVERSE", "MONOCHROME1", True),
        ("IDENTITY", "MONOCHROME2", False),
        ("IDENTITY", "MONOCHROME1", False),
        ("INVERSE", "MONOCHROME2", True),
        ("INVERSE", " monochrome1 ", True),
    ],
)
@pytest.mark.parametrize("voi", ["window", "table", "none"])
@pytest.mark.parametrize("slope", [1, -1])
@pytest.mark.filterwarnings("ignore")  # pydicom's, when the file is made
def test_the_shape_of_the_presentation_decides_and_inverts_once(
    shape: str | None, photometric: str, inverted: bool, voi: str, slope: int
) -> None:
    tags: dict[str, Any] = {"PhotometricInterpretation": photometric}
    tags |= {"RescaleSlope": slope, "RescaleIntercept": 0 if slope == 1 else 3000}
    if shape is not None:
        tags["PresentationLUTShape"] = shape
    if voi == "window":
        tags |= WINDOW
    if voi == "table":
        tags["VOILUTSequence"] = [
            look_up((np.arange(3001) * 255 // 3000).astype(np.uint16), 0, 8)
        ]
    seen = PLAIN if inverted == (slope < 0) else PLAIN[::-1]
    assert np.abs(np.subtract(of_steps(**tags), seen)).max() <= 1


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("kind", "padding", "tags"),
    [
        (np.uint16, 65535, {"PixelPaddingValue": 65535}),
        (np.uint16, 0, {"PixelPaddingValue": 0}),
        (
            np.uint16,
            65000,
            {"PixelPaddingValue": 64000, "PixelPaddingRangeLimit": 65535},
        ),
        (
            np.uint16,
            65000,
            {"PixelPaddingValue": 65535, "PixelPaddingRangeLimit": 64000},
        ),
        (np.int16, -2000, {"PixelPaddingValue": -2000}),
    ],
)
def test_padding_sets_no_contrast_and_is_black(
    photometric: str, kind: Any, padding: int, tags: Any
) -> None:
    """By the standard (C.7.5.1.1.2), not by DCMTK, whose picture would be one of the padding."""
    pixels = np.array([[1000, 2000, 3000, padding]], dtype=kind)
    levels = of_steps(
        pixels, BitsStored=16, PhotometricInterpretation=photometric, **tags
    )
    assert levels == (
        [0, 128, 255, 0] if photometric == "MONOCHROME2" else [255, 128, 0, 0]
    )


def test_padding_under_a_window_is_a_value_like_others() -> None:
    pixels = np.array([[1000, 2000, 3000, 65535]], dtype=np.uint16)
    levels = of_steps(
        pixels,
        BitsStored=16,
        PixelPaddingValue=65535,
        WindowCenter=2000.5,
        WindowWidth=2001,
    )
    assert levels == [0, 128, 255, 255]


def test_nothing_but_padding_is_black() -> None:
    assert of_steps(np.full((1, 2), 5, dtype=np.uint16), PixelPaddingValue=5) == [0, 0]


def test_for_presentation_without_a_window_is_shown_by_its_own_range() -> None:
    assert of_steps(PresentationIntentType="FOR PRESENTATION") == PLAIN


def test_the_table_wins_over_the_window() -> None:
    table = look_up((np.arange(3001) * 255 // 3000).astype(np.uint16), 0, 8)
    assert of_steps(VOILUTSequence=[table], WindowCenter=10, WindowWidth=2) == PLAIN


def test_a_table_that_uses_few_of_its_bits_is_refused() -> None:
    table = look_up(np.arange(4096).astype(np.uint16), 0, 16)
    with pytest.raises(
        UnreadableImageError, match="entries up to 4095 of 65535, all but black"
    ):
        of_steps(VOILUTSequence=[table])


@pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
def test_a_table_that_is_shorter_than_it_says_is_refused(sequence: str) -> None:
    table = look_up(np.arange(100).astype(np.uint16), 0, 8)
    table.LUTDescriptor = [4096, 0, 8]
    with pytest.raises(
        UnreadableImageError, match="a whole look-up table, got 100 of 4096 entries"
    ):
        of_steps(**{sequence: [table]})


def test_an_empty_sequence_is_no_table() -> None:
    assert of_steps(VOILUTSequence=[], ModalityLUTSequence=[], **WINDOW) == PLAIN


@pytest.mark.parametrize("bits", [8, 16])
def test_whole_numbers_of_32_bits(bits: int) -> None:
    pixels = (STEPS.astype(np.uint32) * 1000).astype(np.uint32)
    assert of_steps(pixels, BitsStored=32) == PLAIN
    assert bits


# --- palettes, in either byte order

RED = np.arange(0, 65536, 256).astype(
    np.uint16
)  # 0x0100, 0x0200: no entry is the same in both orders


def with_palette(order: str, *, segmented: bool = False) -> FileDataset:
    file = make_dicom(
        np.arange(256, dtype=np.uint8).reshape(16, 16),
        PhotometricInterpretation="PALETTE COLOR",
    )
    for colour, values in (
        ("Red", RED),
        ("Green", RED[::-1]),
        ("Blue", np.full(256, 0x8000, dtype=np.uint16)),
    ):
        setattr(file, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        prefix = "Segmented" if segmented else ""
        words = segments_of(values) if segmented else values
        setattr(
            file,
            f"{prefix}{colour}PaletteColorLookupTableData",
            words.astype(f"{order}u2").tobytes(),
        )
    file["PixelData"].VR = "OB"
    if order == ">":
        file.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    return file


def segments_of(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """One discrete entry, a line to the half, and the other half by an indirect segment
    of a line or as it is.
    """
    half = values[1:129].tolist()
    return np.array([0, 1, values[0], 0, 128, *half, 1, 127, values[255]])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("segmented", [False, True])
def test_a_palette_is_read_in_the_byte_order_of_its_file(
    order: str, segmented: bool
) -> None:
    seen = read(with_palette(order, segmented=segmented)).reshape(256, 3)
    expected = np.stack([RED, RED[::-1], np.full(256, 0x8000)], axis=-1) / 65535 * 255
    assert np.abs(seen - expected).max() <= 1


def test_a_palette_of_8_bits() -> None:
    file = make_dicom(
        np.array([[0, 1, 2, 3]], dtype=np.uint8),
        PhotometricInterpretation="PALETTE COLOR",
    )
    for colour in ("Red", "Green", "Blue"):
        setattr(file, f"{colour}PaletteColorLookupTableDescriptor", [3, 1, 8])
        setattr(file, f"{colour}PaletteColorLookupTableData", bytes([10, 20, 255, 0]))
    assert read(file)[0, :, 0].tolist() == [10, 10, 20, 255]


@pytest.mark.parametrize("order", ["<", ">"])
def test_two_entries_of_8_bits_lie_in_a_word(order: str) -> None:
    """DCMTK shows both files alike."""
    entries = np.array([0, 30, 60, 90, 120, 150, 180, 255], dtype=np.uint8)
    item = look_up(entries, 0, 8)
    del item.LUTData
    item.add_new("LUTData", "OW", entries.view("<u2").astype(f"{order}u2").tobytes())
    file = make_dicom(
        np.arange(8).astype(f"{order}u2").reshape(1, 8), VOILUTSequence=[item]
    )
    if order == ">":
        file.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    assert read(file)[0].tolist() == entries.tolist()


def test_a_palette_that_is_black_is_refused() -> None:
    file = with_palette("<")
    for colour in ("Red", "Green", "Blue"):
        setattr(
            file,
            f"{colour}PaletteColorLookupTableData",
            np.arange(256, dtype="<u2").tobytes(),
        )
    with pytest.raises(
        UnreadableImageError, match="entries up to 255 of 65535, all but black"
    ):
        read(file)


def test_a_few_segments_that_mean_billions_of_entries_are_cut() -> None:
    file = with_palette("<", segmented=True)
    words = np.array(
        [0, 1, 30_000, *[1, 65_535, 9, 1, 65_535, 60_000] * 5000], dtype="<u2"
    )
    for colour in ("Red", "Green", "Blue"):
        setattr(file, f"Segmented{colour}PaletteColorLookupTableData", words.tobytes())
    assert read(file).shape == (16, 16, 3)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
def test_an_indirect_segment_repeats_others_by_their_byte_offset(
    order: str, bits: int
) -> None:
    """C.7.9.2.3: the offset counts bytes from the beginning of the table."""
    white = 2**bits - 1
    first = [0, 2, 0, white]
    second = [1, 2, 0]
    offset = len(first) * bits // 8
    places = [offset, 0] if bits == 16 else [offset, 0, 0, 0]
    words = np.array([*first, *second, 0, 1, white, 2, 1, *places])
    data = words.astype("<u2" if bits == 16 else "u1").tobytes()
    data += b"\0" * (len(data) % 2)
    if order == ">":
        data = np.frombuffer(data, dtype="<u2").astype(">u2").tobytes()
    file = make_dicom(
        np.arange(8, dtype=np.uint8).reshape(1, 8),
        PhotometricInterpretation="PALETTE COLOR",
    )
    for colour in ("Red", "Green", "Blue"):
        setattr(file, f"{colour}PaletteColorLookupTableDescriptor", [7, 0, bits])
        setattr(file, f"Segmented{colour}PaletteColorLookupTableData", data)
    file["PixelData"].VR = "OB"
    if order == ">":
        file.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    assert read(file)[0, :, 0].tolist() == [0, 255, 128, 0, 255, 128, 0, 0]


# --- codecs and damage


def of_jpeg_2000() -> FileDataset:
    image = io.BytesIO()
    Image.fromarray(GRADIENT).save(image, "JPEG2000", irreversible=False, no_jp2=True)
    packed = make_dicom(GRADIENT, WindowCenter=2000, WindowWidth=1500, BitsStored=16)
    packed.PixelData = encapsulate([image.getvalue()])
    packed.file_meta.TransferSyntaxUID = JPEG2000Lossless
    return packed


def of_rle() -> FileDataset:
    packed = make_dicom(GRADIENT)
    packed.compress(RLELossless)
    return packed


@pytest.mark.parametrize(
    ("make", "start"),
    [(of_jpeg_2000, 120), (of_rle, 24), (lambda: baseline(), 24)],
    ids=["j2k", "rle", "jpeg"],
)
def test_damage_in_a_compressed_picture_is_the_pictures(make: Any, start: int) -> None:
    file = make()
    content = bytearray(file.PixelData)
    content[start:] = b"\x55" * (len(content) - start)
    file.PixelData = bytes(content)
    with pytest.raises(
        UnreadableImageError,
        match=r"a whole DICOM image, got \w+ while it was decoded: the image",
    ):
        read(file)


@pytest.mark.parametrize(
    "name", ["JPEG-lossy.dcm", "JPEG2000-embedded-sequence-delimiter.dcm"]
)
def test_damaged_files_of_pydicom(name: str) -> None:
    from pydicom.data import get_testdata_file

    with pytest.raises(UnreadableImageError):
        read_image(Path(str(get_testdata_file(name))), "the image")


def test_pillow_alone_is_no_codec_for_12_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom.pixels.decoders.base import get_decoder

    decoder = get_decoder(JPEGExtended12Bit)
    monkeypatch.setattr(decoder, "_available", {"pillow": decoder._available["pillow"]})
    file = make_dicom(GRADIENT)
    file.PixelData = encapsulate(
        [b"\xff\xd8\xff\xc1\0\x0b\x0c\0\x08\0\x08\1\1\x11\0\xff\xd9"]
    )
    file.file_meta.TransferSyntaxUID = JPEGExtended12Bit
    with pytest.raises(
        DatasetError, match=r"codec for the transfer syntax JPEG Extended.*\[dicom\]"
    ) as caught:
        read(file)
    assert not isinstance(caught.value, UnreadableImageError)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.100", "1.2.3.4.5"])
def test_a_syntax_that_nobody_decodes_is_no_missing_package(syntax: str) -> None:
    file = baseline()
    file.file_meta.TransferSyntaxUID = UID(syntax)
    with pytest.raises(
        UnreadableImageError, match="a transfer syntax that pydicom decodes, got"
    ) as caught:
        read(file)
    assert "1.2.3.4.5" not in str(caught.value)


# --- files of another shape


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
@pytest.mark.parametrize("with_meta", [False, True])
def test_a_file_without_preamble_is_read(syntax: UID, with_meta: bool) -> None:
    pixels = STEPS if syntax.is_little_endian else STEPS.byteswap()
    file = make_dicom(pixels, **WINDOW)
    file.file_meta.TransferSyntaxUID = syntax
    content = whole_file(file)[132:] if with_meta else bare(file)
    assert np.asarray(read_image(content, "the image"))[0].tolist() == PLAIN


def test_dicom_without_preamble_and_without_pixels_is_told_so() -> None:
    with pytest.raises(
        UnreadableImageError,
        match="no PNG, JPEG, TIFF, WebP or DICOM .it has no DICM prefix",
    ):
        read_image(bare(without_pixels()), "the image")


def deflated(content: bytes) -> bytes:
    """A DICOM file of the deflated syntax with this data set in it."""
    import zlib

    file = make_dicom(STEPS)
    file.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return whole_file(file, packer.compress(content) + packer.flush())


def test_a_deflated_file_is_read() -> None:
    content = bare(make_dicom(STEPS, **WINDOW))
    assert np.asarray(read_image(deflated(content), "the image"))[0].tolist() == PLAIN


def test_a_deflated_file_that_was_cut_short_is_refused() -> None:
    with pytest.raises(
        UnreadableImageError, match="a deflated DICOM file that was cut short"
    ):
        read_image(deflated(bare(make_dicom(GRADIENT)))[:-20], "the image")


def test_a_deflated_file_is_not_expanded_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pytest_retrieval_robust.datasets._pixels import dicom_file

    monkeypatch.setattr(dicom_file, "MOST_BYTES", 100_000)
    bomb = deflated(bare(make_dicom(STEPS)) + b"\0" * 10_000_000)
    assert len(bomb) < 20_000
    with pytest.raises(
        UnreadableImageError, match="a deflated one that expands to more"
    ):
        read_image(bomb, "the image")


def test_a_deflated_file_that_is_refused_takes_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tracemalloc

    from pytest_retrieval_robust.datasets._pixels import dicom_file

    monkeypatch.setattr(dicom_file, "MOST_BYTES", 50 << 20)
    content = deflated(bytes(100 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(
            UnreadableImageError, match="a deflated one that expands to more"
        ):
            read_image(content, "the image")
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()
