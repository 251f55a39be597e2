"""What a run may show of patients, however it fails.

Canaries stand in all places of the data, and are searched in all outputs.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.datasets import DatasetEntry
from pytest_retrieval_robust.models import LoadRequest, ModelEntry

from . import toy
from .children import Ended, run_pytest
from .image_files import dicom
from .projects import POLICY, project
from .trials import Ground, Row, Trial, tried

_PAIRS = 24
_FAILURE = "HOSTILE_FAILURE"
"""The variable that tells the conftest how to fail."""
CANARIES = (
    "CANARYTEXT",
    "CANARYID",
    "CANARYPATIENT",
    "CANARYFILE",
    "CANARYFOLDER",
    "CANARYERROR",
    "CANARYDOE",
    "CANARYCOMMENT",
    "CANARYPATH",
    "CANARYSTUDY",
)
_CONFTEST = """\
import pytest
from benchmarks.hostile import privacy

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    privacy.register(catalogues)
"""
_POLICY = f"""\
# CANARYCOMMENT: of {CANARIES[2]}
{POLICY}
[datasets.clinic]
loader = "table"  # CANARYCOMMENT
path = "data/table.csv"
image = "image"
text = "report"
id = "id"
group = "study"
patient = "patient"
"""


# The world, used by the conftest of each project


class LeakyEncoder(toy.ToyEncoder):
    """Fails as the environment says, with the canaries in its texts."""

    def encode_images(self, pixels: Any) -> Any:
        failure = os.environ.get(_FAILURE)
        secret = "CANARYERROR of CANARYPATIENT"
        if failure == "images raise":
            raise ValueError(f"cannot encode {secret}")
        if failure == "images raise from":
            try:
                raise OSError(2, secret, "/data/CANARYPATH/CANARYFILE.png")
            except OSError as error:
                raise RuntimeError(f"CUDA error: {secret}") from error
        if failure == "images are NaN":
            return super().encode_images(pixels) * float("nan")
        if failure == "images of one row":
            return super().encode_images(pixels)[:1]
        if failure == "images exit":
            raise SystemExit(secret)
        return super().encode_images(pixels)

    def encode_reports(self, texts: Sequence[str]) -> Any:
        failure = os.environ.get(_FAILURE)
        if failure == "reports raise":
            raise ValueError(f"cannot tokenise {texts[0]!r}")
        if failure == "reports, a missing word":
            return {"a": 1}[texts[0]]
        if failure == "reports are text":
            return list(texts)
        return super().encode_reports(texts)


@dataclasses.dataclass
class ShownDataset(toy.ToyDataset):
    """A data set of one's own whose repr shows all that it holds."""

    texts: list[str] = dataclasses.field(
        default_factory=lambda: [f"CANARYTEXT {number}" for number in range(_PAIRS)]
    )
    name = "shown"

    def __post_init__(self) -> None:
        super().__init__(_PAIRS)
        self.image_ids = [f"CANARYID-{number}" for number in range(_PAIRS)]
        self.reports = self.texts

    def image(self, index: int) -> Any:
        if os.environ.get(_FAILURE) == "own data raise":
            raise ValueError(f"no CANARYFILE of {self.image_ids[index]}")
        if os.environ.get(_FAILURE) == "own data return None":
            return None
        return super().image(index)


def register(catalogues: Catalogues) -> None:
    def load(_: LoadRequest) -> Any:
        if os.environ.get(_FAILURE) == "model does not load":
            raise OSError(2, "CANARYERROR", "/data/CANARYPATH/model.pt")
        return LeakyEncoder()

    catalogues.models.add(ModelEntry(toy.MODEL, "a toy", load))
    catalogues.datasets.add(DatasetEntry("shown", "own", ShownDataset))


def _world(folder: Path, failure: str) -> Path:
    project(folder, policy=_POLICY, files={"conftest.py": _CONFTEST})
    data = folder / "gate" / "data"
    images = data / "CANARYFOLDER"
    images.mkdir(parents=True)
    rows: list[dict[str, str]] = []
    for number in range(_PAIRS):
        name = f"CANARYFOLDER/CANARYFILE{number:03d}.png"
        toy.picture(number).save(data / name)
        row = {
            "image": name,
            "report": f"CANARYTEXT pattern {number}",
            "id": f"CANARYID{number}",
            "study": f"CANARYSTUDY{number}",
            "patient": f"CANARYPATIENT{number}",
        }
        rows.append(row)
    _spoil(failure, data, rows)
    with (data / "table.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def _spoil(failure: str, data: Path, rows: list[dict[str, str]]) -> None:
    """What is wrong with the table or the images."""
    image = data / rows[7]["image"]
    if failure == "image missing":
        image.unlink()
    elif failure == "image broken":
        image.write_bytes(image.read_bytes()[:50])
    elif failure == "image a FIFO":
        image.unlink()
        os.mkfifo(image)
    elif failure == "image a DICOM that warns":
        image.write_bytes(_warning_dicom())
    elif failure == "image beyond the root":
        rows[7]["image"] = "../CANARYPATH/CANARYFILE.png"
    elif failure == "image elsewhere":
        rows[7]["image"] = "/data/CANARYPATH/CANARYFILE.png"
    elif failure == "image of floats":
        from PIL import Image

        Image.fromarray(np.zeros((8, 8), np.float32)).save(image, "TIFF")
    elif failure == "id twice":
        rows[7]["id"] = rows[6]["id"]
    elif failure == "two texts of one study":
        rows[7]["study"] = rows[6]["study"]
    elif failure == "text empty":
        rows[7]["report"] = ""


def _warning_dicom() -> bytes:
    """A value that breaks its kind: pydicom warns and quotes it."""
    content = dicom(np.arange(64, dtype=np.uint16).reshape(8, 8) * 900)
    return content.replace(b"1.2.3\0", b"CANARY", 1).replace(
        b"1.2.3\0", b"CANARYDOE"[:6], 1
    )


_FAILURES = (
    "nothing",
    "gates not met",
    "images raise",
    "images raise from",
    "images are NaN",
    "images of one row",
    "images exit",
    "reports raise",
    "reports, a missing word",
    "reports are text",
    "model does not load",
    "image missing",
    "image broken",
    "image a FIFO",
    "image a DICOM that warns",
    "image beyond the root",
    "image elsewhere",
    "image of floats",
    "id twice",
    "two texts of one study",
    "text empty",
    "own data raise",
    "own data return None",
)
_FLAGS: Mapping[str, Sequence[str]] = {
    "as it is": (),
    "-vv -l": ("-vv", "-l"),
    "all shown": ("-vv", "--showlocals", "--tb=long", "-rA"),
    "--full-trace": ("--full-trace", "-s"),
    "-W always": (
        "-Walways",
        "--tb=native",
        "-o",
        "log_cli=true",
        "-o",
        "log_cli_level=DEBUG",
    ),
}
_OUTPUTS = (
    "--robust-results=R",
    "--robust-report=report.html",
    "--robust-report=report.md",
    "--robust-report=report.json",
    "--junitxml=junit.xml",
    "-o",
    "junit_logging=all",
    "--robust-cache-dir=C",
)


def rows(ground: Ground) -> Iterator[Trial]:
    attempts = [(failure, flags, False) for failure in _FAILURES for flags in _FLAGS]
    attempts += [
        (failure, "as it is", True)
        for failure in ("nothing", "reports raise", "image missing")
    ]
    for failure, flags, workers in ground.some(attempts, 8):
        name = f"{failure}, {flags}"
        if workers:
            name += ", workers"
        check = partial(_searched, ground, name, failure, _FLAGS[flags], workers)
        yield tried(name, check)


def _searched(
    ground: Ground, name: str, failure: str, flags: Sequence[str], workers: bool
) -> str | None:
    folder = _world(ground.place(name), failure)
    temporary = folder.with_name(f"{folder.name}-temporary")
    temporary.mkdir()
    data_set = "shown" if failure.startswith("own data") else "clinic"
    options = [
        "gate",
        f"--robust-models={toy.MODEL}",
        f"--robust-datasets={data_set}",
        "--robust-levels=0.2",
        *_OUTPUTS,
        *flags,
    ]
    if failure == "gates not met":
        options.append("--robust-k=1,10")
        toml = folder / "gate" / "robust.toml"
        toml.write_text(toml.read_text().replace("0.3", "0.999"))
    environment = {
        _FAILURE: failure,
        "GITHUB_STEP_SUMMARY": str(folder / "step.md"),
        "TMPDIR": str(temporary),
        "GITHUB_ACTIONS": "true",
    }
    plugins: tuple[str, ...] = ()
    if workers:
        options.append("-n2")
        plugins = ("xdist",)
    ended = run_pytest(
        folder, options, environment=environment, plugins=plugins, seconds=60
    )
    if ended.timed_out:
        return "hung"
    return _canary_in(folder, temporary, ended)


def _canary_in(folder: Path, temporary: Path, ended: Ended) -> str | None:
    """The first canary of any output, and where; None where there is none."""
    texts: dict[str, bytes] = {"the terminal": ended.output.encode()}
    data = folder / "gate" / "data"
    # What stands in the data is no output, nor is what the project was written with.
    inputs = ("robust.toml", "conftest.py")
    for path in [*folder.rglob("*"), *temporary.rglob("*")]:
        if path.is_relative_to(data):
            continue
        texts[f"the name of {path.name}"] = path.name.encode()
        if path.is_file() and path.name not in inputs and path.suffix != ".pyc":
            texts[path.name] = _content(path)
    for output, content in texts.items():
        for canary in CANARIES:
            start = content.find(canary.encode())
            if start >= 0:
                around = content[max(0, start - 60) : start + 40]
                return f"{canary} in {output}: {around.decode(errors='replace')!r}"
    return None


def _content(path: Path) -> bytes:
    """All bytes of a file; of an archive also those of its members."""
    content = path.read_bytes()
    if path.suffix == ".npz":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                content += name.encode() + archive.read(name)
    return content


ROWS = (
    Row(
        "privacy",
        "canaries in ids, texts, names and errors: in no output, however a run fails",
        rows,
    ),
)
