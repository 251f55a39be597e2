"""DICOM images against the standard's formulas, written out in float64 (PS3.3 C.7.6.3, C.11.1, C.11.2.1.2)."""

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
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from pytest_retrieval_robust.datasets._pixels import read_image
from pytest_retrieval_robust.errors import DatasetError, UnreadableImageError

GRADIENT = np.arange(64, dtype=np.uint16).reshape(8, 8) * 64  # 0..4032, 12 bits


def make_dicom(pixels: np.ndarray[Any, Any], **tags: Any) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
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
    file.HighBit = file.BitsStored - 1
    file.PixelData = pixels.tobytes()
    return file


def save_dicom(place: Path, pixels: np.ndarray[Any, Any], **tags: Any) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    make_dicom(pixels, **tags).save_as(place, enforce_file_format=True)
    return place


def read(file: FileDataset) -> np.ndarray[Any, Any]:
    buffer = io.BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return np.asarray(read_image(buffer.getvalue(), "the image"))


def windowed(values: np.ndarray[Any, Any], center: float, width: float) -> np.ndarray[Any, Any]:
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
    file = make_dicom(GRADIENT, WindowCenter=1000, WindowWidth=3000, RescaleSlope=2, RescaleIntercept=-1024)
    assert close(read(file), windowed(GRADIENT * 2.0 - 1024, 1000, 3000))


def test_signed_values() -> None:
    pixels = (GRADIENT.astype(np.int16) - 2048).astype(np.int16)
    assert close(read(make_dicom(pixels, WindowCenter=0, WindowWidth=2000)), windowed(pixels, 0, 2000))


def test_monochrome1_is_inverted() -> None:
    file = make_dicom(GRADIENT, WindowCenter=2000, WindowWidth=1500, PhotometricInterpretation="MONOCHROME1")
    assert close(read(file), 1 - windowed(GRADIENT, 2000, 1500))
    plain = make_dicom(GRADIENT, PhotometricInterpretation="MONOCHROME1")
    assert read(plain)[0, 0] == 255
    assert read(plain)[-1, -1] == 0


@pytest.mark.parametrize("stored", [10, 12, 16])
def test_without_a_window_the_values_own_range_is_shown(stored: int) -> None:
    pixels = (GRADIENT.astype(np.float64) / 4032 * (2**stored - 1) * 0.5).astype(np.uint16)
    expected = (pixels - pixels.min()) / (pixels.max() - pixels.min())
    assert close(read(make_dicom(pixels, BitsStored=stored)), expected)


def test_one_level_all_over() -> None:
    assert read(make_dicom(np.full((4, 4), 7, dtype=np.uint16))).max() == 0


def look_up(table: np.ndarray[Any, Any], first: int, bits: int, *, packed: bool = False) -> Any:
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
    file = make_dicom(GRADIENT, VOILUTSequence=[item], WindowCenter=2000, WindowWidth=10)
    assert close(read(file), table[GRADIENT] / 255)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("first", "count"), [(0, 4096), (100, 3000)])
def test_a_modality_table(packed: bool, first: int, count: int) -> None:
    """Values below the first entry and beyond the last take those."""
    table = (np.arange(4096) // 4).astype(np.uint16)[:count]
    item = look_up(table, first, 10, packed=packed)
    file = make_dicom(GRADIENT, ModalityLUTSequence=[item], WindowCenter=500, WindowWidth=400)
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
    with pytest.raises(DatasetError, match=r"codec for the transfer syntax JPEG Baseline.*robust\[dicom\]") as caught:
        read(baseline())
    assert not isinstance(caught.value, UnreadableImageError)  # nothing that skipping would be an answer to


def test_no_pydicom(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(DatasetError, match=r"pip install pytest-retrieval-robust\[dicom\]"):
        read(make_dicom(GRADIENT))


def truncated() -> FileDataset:
    file = make_dicom(GRADIENT)
    file.PixelData = file.PixelData[:60]
    return file


def without_pixels() -> FileDataset:
    file = make_dicom(GRADIENT)
    del file.PixelData
    return file


@pytest.mark.filterwarnings("ignore")  # pydicom's, of the damaged files
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (truncated, "whole DICOM image"),
        (without_pixels, "one without pixels"),
        (lambda: make_dicom(GRADIENT, NumberOfFrames=2), "frames=2"),
        (lambda: make_dicom(GRADIENT, PhotometricInterpretation="ODD"), "PhotometricInterpretation='ODD'"),
    ],
)
def test_what_is_no_radiograph(make: Any, said: str) -> None:
    with pytest.raises(UnreadableImageError, match=said):
        read(make())


def test_the_librarys_own_test_file() -> None:
    """A CT slice that ships with pydicom, against its raw values."""
    from pydicom.data import get_testdata_file

    place = str(get_testdata_file("CT_small.dcm"))
    file = pydicom.dcmread(place)
    values = file.pixel_array.astype(float) * float(file.RescaleSlope) + float(file.RescaleIntercept)
    expected = (values - values.min()) / (values.max() - values.min())
    assert close(np.asarray(read_image(Path(place), "CT")), expected)
