"""The user's project, with a canary in every place of `places.PLACES`."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from benchmarks.hostile import toy
from benchmarks.hostile.image_files import dicom

from . import users_code
from .places import STUDY_NUMBER, canary
from .users_code import PAIRS

DATA = canary("data folder")
TABLE = f"{DATA}/{canary('table file')}.csv"
IMAGES = canary("image folder")
MASKS = canary("mask folder")
Row = dict[str, object]

SUITE = """\
def test_recall(outcome, clean_outcome, gate):
    assert gate.violations(outcome, clean_outcome) == []
"""
SHOWING_SUITE = """\
def test_every_fixture(
    outcome, clean_outcome, gate, retrieval_model, retrieval_dataset, occluder,
    robustness_curve, robustness_curves, request,
):
    from pytest_retrieval_robust.measure.pairs import pairs_of
    from pytest_retrieval_robust.run.session import session_of

    session = session_of(request.config)
    pairs = pairs_of(retrieval_dataset)
    settings, selection, policy = session.settings, session.selection, session.policy
    config_file = settings.config_file
    shown = (outcome, gate, pairs, settings, retrieval_model)
    assert shown == (clean_outcome, robustness_curve, retrieval_dataset, session)
"""
"""It fails, and `--showlocals` shows every object that a test is given."""
POLICY = f"""\
# {canary("toml comment")}: agreed on the ward
[datasets.clinic]
loader = "table"  # {canary("toml comment")}
path = "{TABLE}"
root = "{DATA}"
image = "image"
text = "report"
id = "id"
group = "study"
patient = "patient"
strata = ["site"]
masks = "{MASKS}"
counterfactuals = "{DATA}/edits.csv"

[datasets.unused]
loader = "table"
path = "/srv/{canary("toml value")}/test.csv"

[models.unused]
loader = "open_clip"
architecture = "ViT-B-32"
checkpoint = "/srv/{canary("toml value")}/step.pt"

[[gate]]
model = "toy"
dataset = "*"
level = 0.2
recall = {{ 1 = 0.1 }}
"""
INI = f"""\
[pytest]
# {canary("ini comment")}
addopts = -p no:randomly
"""


def make(home: Path) -> Path:
    """Write the project into a new folder below `home`; returns the project's folder."""
    project = home / canary("home") / "project"
    data = project / DATA
    (data / IMAGES).mkdir(parents=True)
    write_text(project / "conftest.py", Path(users_code.__file__).read_text("utf-8"))
    write_text(project / "gate/test_recall.py", SUITE)
    write_text(project / "shown/test_shown.py", SHOWING_SUITE)
    write_text(project / "robust.toml", POLICY)
    write_text(project / "pytest.ini", INI)
    for number in range(PAIRS):
        (data / image_name(number)).write_bytes(image_bytes(number))
    write_table(project, [row(number) for number in range(PAIRS)])
    write_edits(project)
    write_masks(project)
    return project


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def image_name(number: int) -> str:
    """A PNG, a JPEG, a DICOM file and so on, below the folder of the tables."""
    suffix = ("png", "jpg", "dcm")[number % 3]
    return f"{IMAGES}/{canary('image file')}{number}.{suffix}"


def image_bytes(number: int) -> bytes:
    """A picture with a canary in its file's own header."""
    picture = toy.picture(number)
    buffer = io.BytesIO()
    if number % 3 == 0:
        chunks = PngInfo()
        chunks.add_text("Comment", canary("png text"))
        picture.save(buffer, "PNG", pnginfo=chunks)
        return buffer.getvalue()
    if number % 3 == 1:
        exif = Image.Exif()
        exif[0x013B] = canary("exif")  # the artist
        picture.save(buffer, "JPEG", quality=95, exif=exif)
        return buffer.getvalue()
    name = canary("dicom header")
    return dicom(np.asarray(picture), PatientName=f"{name}^Jane", PatientID=name)


def report(number: int) -> str:
    return f"{canary('report')} pattern {number}"


def row(number: int) -> Row:
    """What the table says of an image."""
    return {
        "image": image_name(number),
        "report": report(number),
        "id": f"{canary('image id')}{number}",
        "study": STUDY_NUMBER + number,
        "patient": f"{canary('patient')}{number}",
        "site": canary("small group") if number else "another site",
        canary("column"): canary("value"),
    }


def write_table(project: Path, rows: Sequence[Row]) -> None:
    _write_csv(project / TABLE, rows)


def write_edits(project: Path) -> None:
    """One edited report for each report, of another pattern."""
    edited = canary("edited report")
    edits: list[Row] = [
        {
            "original": report(number),
            "edited": f"{edited} pattern {number + 20}",
            "kind": "side",
        }
        for number in range(PAIRS)
    ]
    _write_csv(project / DATA / "edits.csv", edits)


def write_masks(project: Path) -> None:
    """The upper half of each image as its lungs."""
    mask = np.zeros((toy.SIDE, toy.SIDE), np.uint8)
    mask[: toy.SIDE // 2] = 255
    lungs = project / MASKS / "lungs"
    lungs.mkdir(parents=True)
    for number in range(PAIRS):
        Image.fromarray(mask).save(lungs / f"{row(number)['id']}.png")


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer: Any = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
