"""A project like the one that the pages describe, measured once on an embedded model."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_retrieval_robust.run.commands.init import suite_folder

from .. import forked_commands
from ..datasets.files import trees, trees_beyond
from .pages import ROOT, block

WEIGHTS = ROOT / "pytest_retrieval_robust" / "models" / "weights"
SMALL = ("--robust-datasets=synthetic-cxr(pairs=48)", "--robust-levels=0.3")
"""A run of seconds that is whole, and so can be a baseline."""
SEARCH = ("--robust-search-images=2", "--robust-search-grid=4")
POLICY = f"""
[models.our-candidate]
loader = "transformers"
checkpoint = "{WEIGHTS / "tiny-cxr-clip"}"

[datasets.mimic-cxr]
images = "../data/mimic-cxr-jpg/2.1.0"
reports = "../data/mimic-cxr/2.0.0"
masks = "../data/masks"

[[gate]]
model = "our-candidate"
recall = {{ 10 = 0.25 }}
not_worse_than_baseline = {{ k = 10, margin = 0.1 }}
"""
STRICTER = """
[[gate]]
model = "our-candidate"
recall = { 10 = 0.3 }
"""
ENCODER = """
import numpy as np

weights = np.random.default_rng(0).standard_normal((3, 16))


def embed_images(pixels):
    return pixels.mean(axis=(2, 3)) @ weights + 1


def embed_texts(texts):
    return [np.cos(np.arange(16) + len(text)) for text in texts]
"""
"""Stand-ins for the user's own encoder."""
STUDIES = """
from types import SimpleNamespace

import numpy as np


def read_studies():
    return [
        SimpleNamespace(
            image_path=np.full((32, 32), 20 * number, np.uint8),
            report=f"Study number {number}.",
            patient=f"p{number // 2}",
        )
        for number in range(12)
    ]
"""
"""Stand-ins for the user's own data."""


@dataclass(frozen=True)
class Project:
    """A project whose suite is in `gate/`."""

    folder: Path
    printed: str
    """What the two runs that made `baseline` and `candidate` printed."""

    @property
    def suite(self) -> Path:
        return self.folder / "gate"


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data sets in their published layouts, as `/data` of the pages."""
    folder = tmp_path_factory.mktemp("data")
    trees.mimic(folder, version="2.1.0")
    trees.mimic_zip(folder)
    (folder / "mimic-cxr" / "2.1.0").symlink_to(folder / "mimic-cxr" / "2.0.0")
    for region in ("lungs", "heart"):
        (folder / "masks" / region).mkdir(parents=True)
    (folder / "mimic-cxr-masks").symlink_to(folder / "masks")
    trees_beyond.all_of(folder)
    return folder


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Project:
    """The project with its saved runs `baseline` and `candidate`."""
    folder = tmp_path_factory.mktemp("project")
    suite = folder / "gate"
    suite.mkdir()
    (folder / "data").symlink_to(data)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "conftest.py").write_text(STUDIES + _python("docs/extending.md", 5))
    (suite / "conftest.py").write_text(_python("README.md", 1) + ENCODER)
    (suite / "test_recall.py").write_text(_python("README.md", 0))
    (suite / "test_fixtures.py").write_text(_python("docs/fixtures.md", 0))
    (suite / "test_breaking.py").write_text(_python("docs/breaking.md", 1))
    shutil.copyfile(suite_folder() / "test_drift.py", suite / "test_drift.py")
    (suite / "robust.toml").write_text(POLICY)
    for place in (folder, suite):
        (place / "stricter.toml").write_text(STRICTER)
        shutil.copytree(WEIGHTS / "tiny-cxr-clip", place / "checkpoints" / "candidate")
    printed = _measured(folder)
    for name in ("baseline", "candidate"):
        (suite / name).symlink_to(folder / name)
    for place in (folder, suite):
        (place / "results").symlink_to(folder / "candidate")
        (place / "other").symlink_to(folder / "baseline")
    return Project(folder, printed)


def _python(page: str, number: int) -> str:
    return block(page, "python", number).text


def _measured(folder: Path) -> str:
    """What two runs of the suite print, the second one beside the first."""
    options = ("gate/", *SMALL, *SEARCH, "-p", "no:cacheprovider")
    first = [*options, "--robust-results=baseline"]
    second = [*options, "--robust-results=candidate", "--robust-baseline=baseline"]
    runs = [
        forked_commands.run(["pytest", *words], folder) for words in (first, second)
    ]
    return "".join(ended.printed for ended in runs)
