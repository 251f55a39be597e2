"""The user's own code is known by its content, however it is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.names import LOADED

SCRIPT = """
import sys
from pytest_retrieval_robust.measure.embeddings.keys import dataset_identity
from pytest_retrieval_robust.measure.embeddings.source_code import code_of

for folder in sys.argv[1:]:
    before = set(sys.modules)
    sys.path.insert(0, folder)
    import conftest
    print(code_of(conftest.model()).hex(), (dataset_identity(conftest.Data()) or b"").hex())
    sys.path.remove(folder)
    for name in set(sys.modules) - before:
        del sys.modules[name]
"""
"""What is known of the model and of the data in each folder: two digests a line."""
FILES = {
    "conftest.py": (
        """
import functools, json
import helper
from tools import scaling
from tools.deeper import shift

class Model:
    def __init__(self):
        self.picture = Picture(functools.partial(prepared, factor=2))
    def prepare(self, image):
        import late
        return late.changed(helper.pixels(image))

class Picture:
    def __init__(self, prepare):
        self.prepare = prepare

def prepared(image, factor):
    return image

class Data:
    def image(self, index): return helper.pixels(index)
    def content_digest(self, index): return b""

def model():
    from other import wrapped
    made = Model()
    made.wrapped = wrapped(made.prepare)
    return made
"""
    ),
    "helper.py": "from tools.constants import LIMIT\ndef pixels(image): return image\n",
    "tools/__init__.py": "",
    "tools/scaling.py": "from . import sibling\n",
    "tools/sibling.py": "VALUE = 1\n",
    "tools/deeper.py": "def shift(): return 1\n",
    "tools/constants.py": "LIMIT = 3\n",
    "late.py": "def changed(image): return image\n",
    "other.py": "def wrapped(inner):\n    return lambda image: inner(image)\n",
}
OF_THE_DATA = {
    "conftest.py",
    "helper.py",
    *(name for name in FILES if name.startswith("tools/")),
    "late.py",
    "other.py",
}


def written(folder: Path, **changed: str) -> Path:
    """The folder with the files above, of which some are changed or added."""
    for name, text in {**FILES, **changed}.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(text)
    return folder


def identities(*folders: Path, hash_seed: int) -> list[list[str]]:
    """The digests of each folder, in a process that began after its files were written."""
    run = subprocess.run(
        [sys.executable, "-B", "-c", SCRIPT, *map(str, folders)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
    )
    return [line.split() for line in run.stdout.splitlines()]


def test_every_module_that_is_imported_changes_what_is_known(tmp_path: Path) -> None:
    one, two = written(tmp_path / "one"), written(tmp_path / "two")
    unrelated = written(tmp_path / "unrelated", **{"unrelated.py": "x = 1\n"})
    changed = [
        written(tmp_path / f"changed {name}", **{name: text + "\n# changed\n"})
        for name, text in FILES.items()
    ]
    first, in_another_folder, beside_unrelated, *of_changed = identities(
        one, two, unrelated, *changed, hash_seed=1
    )
    assert all(first)
    assert in_another_folder == first
    assert beside_unrelated == first
    assert identities(one, hash_seed=2) == [first]
    for name, (model, data) in zip(FILES, of_changed, strict=True):
        assert model != first[0], name
        assert (data != first[1]) == (name in OF_THE_DATA), name


HELPED = """
from PIL import Image
import helper
from pytest_retrieval_robust.models import ModelEntry
from pytest_retrieval_robust.models.tiny import *
from pytest_retrieval_robust import load_model

class Helped:
    name = "helped"
    def __init__(self):
        self._inner = load_model("tiny-cxr-clip", device="cpu")
        self.card = self._inner.card
        self.device = "cpu"
        self.encode_images = self._inner.encode_images
        self.encode_reports = self._inner.encode_reports
    def prepare(self, image):
        return self._inner.prepare(helper.pixels(image))

def pytest_robust_register(catalogues):
    entry = ModelEntry(name="helped", summary="helped", load=lambda request: Helped())
    catalogues.models.add(entry)
"""


def test_a_helper_that_treats_grey_images_otherwise_misses_the_store(
    pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makeconftest(HELPED)
    pytester.makepyfile(
        test_mine=(
            "def test_recall(outcome):\n    print('STORED',"
            " outcome.timing.from_store)\n"
        )
    )
    options = (
        "--robust-models=helped",
        "--robust-limit=12",
        "--robust-levels=0.3",
        "-s",
        "-p",
        "no:cacheprovider",
    )

    def stored(helper: str) -> list[str]:
        for file in (*pytester.path.glob("*.py"), pytester.makepyfile(helper=helper)):
            # Code that is younger than its process may not be what was loaded.
            os.utime(file, (LOADED - 1, LOADED - 1))
        run = pytester.runpytest_inprocess(*options, f"--robust-cache-dir={tmp_path}")
        return [line.split("STORED ")[1] for line in run.outlines if "STORED" in line]

    plain = "def pixels(image):\n    return image\n"
    inverted = (
        "from PIL import ImageChops\n\ndef pixels(image):\n    return"
        " ImageChops.invert(image) if image.mode == 'L' else image\n"
    )
    assert set(stored(plain)) == {"0"}
    assert set(stored(plain)) == {"12"}
    assert set(stored(inverted)) == {"0"}
