"""DICOM pictures against DCMTK's, where its `dcmj2pnm` is on this machine (Debian's
package is `dcmtk`).
"""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pytest_retrieval_robust.core.errors import UnreadableImageError
from pytest_retrieval_robust.datasets._pixels.stored_image import read_image

from .test_dicom import look_up, make_dicom, whole_file

pytestmark = [
    pytest.mark.skipif(
        shutil.which("dcmj2pnm") is None,
        reason="dcmj2pnm of DCMTK is not on this machine",
    ),
    pytest.mark.filterwarnings(
        "ignore"
    ),  # pydicom's, of its own odd files and of made ones
]
CLOSE = 2
"""Grey levels: DCMTK computes some steps in whole numbers."""
DCMTK_DIFFERS = ("rtdose_expb_1frame.dcm",)
"""32 bits in big-endian order: DCMTK's picture is not that of the same file in
little-endian order, ours is.
"""


def by_dcmtk(file: Path, choices: Sequence[str]) -> np.ndarray[Any, Any] | None:
    """DCMTK's picture without overlays, None where it makes none."""
    command = [
        "dcmj2pnm",
        "--no-overlays",
        "--ignore-aspect",
        *choices,
        "--write-bmp",
        str(file),
    ]
    made = subprocess.run(command, capture_output=True, check=False)
    if made.returncode or not made.stdout:
        return None
    return np.asarray(Image.open(io.BytesIO(made.stdout)))


def choices_for(file: Any) -> list[str]:
    """The options of dcmj2pnm for what this package shows: the first table or window,
    else the values' own range.
    """
    if file.get("VOILUTSequence"):
        return ["--use-voi-lut", "1"]
    if file.get("WindowCenter") is not None and file.get("WindowWidth") is not None:
        return ["--use-window", "1"]
    return (
        ["--min-max-window"]
        if str(file.get("PhotometricInterpretation", "")).startswith("MONO")
        else []
    )


def bundled() -> list[Path]:
    """The files that lie in pydicom's package.

    Its `get_testdata_files` would look for more in the network.
    """
    return sorted(Path(pydicom.data.__path__[0], "test_files").glob("*.dcm"))


def test_files_that_both_read_look_alike() -> None:
    alike = 0
    differ = []
    for path in bundled():
        try:
            ours = np.asarray(read_image(path, path.name))
        except UnreadableImageError:
            continue
        theirs = by_dcmtk(path, choices_for(pydicom.dcmread(path, force=True)))
        if theirs is None:
            continue
        if (
            ours.shape == theirs.shape
            and np.abs(ours.astype(int) - theirs).max() <= CLOSE
        ):
            alike += 1
        elif path.name not in DCMTK_DIFFERS:
            differ.append(path.name)
    assert differ == []
    assert alike >= 30


@st.composite
def headers(draw: st.DrawFn) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """Headers that the standard allows, and pixels that use most of their bits."""
    bits = draw(st.sampled_from((8, 10, 12, 16)))
    signed = draw(st.booleans())
    low, high = (
        (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    )
    kind = np.dtype(f"{'i' if signed else 'u'}{1 if bits == 8 else 2}")
    pixels = np.linspace(low, high, 64).astype(kind).reshape(8, 8)
    tags: dict[str, Any] = {"BitsStored": bits}
    tags["PhotometricInterpretation"] = draw(
        st.sampled_from(("MONOCHROME1", "MONOCHROME2"))
    )
    shape = draw(st.sampled_from((None, "IDENTITY", "INVERSE")))
    if shape is not None:
        tags["PresentationLUTShape"] = shape
    slope = draw(st.sampled_from((None, 1, 0.5, 2, -1)))
    if slope is not None:
        tags |= {
            "RescaleSlope": slope,
            "RescaleIntercept": draw(st.sampled_from((0, -1024, 100.5))),
        }
    way = draw(st.sampled_from(("window", "table", "range")))
    if way == "window":
        width = draw(
            st.integers(128, high - low)
        )  # DCMTK rounds at a narrow window's ends
        centre = draw(st.integers(low // 2, high // 2)) * (slope or 1)
        tags |= {"WindowCenter": centre, "WindowWidth": width}
    if way == "table" and slope is None:
        entries = np.linspace(0, 4095, min(high - low + 1, 4096)).astype(np.uint16)
        tags["VOILUTSequence"] = [
            look_up(entries, low if low >= 0 else low + 65536, 12)
        ]
    return tags, pixels


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(headers())
def test_made_files_look_alike(
    tmp_path: Path, made: tuple[dict[str, Any], np.ndarray[Any, Any]]
) -> None:
    tags, pixels = made
    file = make_dicom(pixels, **tags)
    path = tmp_path / "made.dcm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path.write_bytes(whole_file(file))
    theirs = by_dcmtk(path, choices_for(file))
    assert theirs is not None
    assert (
        np.abs(np.asarray(read_image(path, "made")).astype(int) - theirs).max() <= CLOSE
    )
