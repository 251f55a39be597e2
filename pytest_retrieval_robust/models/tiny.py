"""The embedded encoders: small, trained on synthetic pictures, shipped in the package."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..core.catalogue import Catalogue
from ..core.errors import ModelError
from . import DualEncoder, LoadRequest, ModelEntry

WEIGHTS = Path(__file__).parent / "weights"
SUMS = "SHA256SUMS"
_INSTRUMENT = "a test instrument, not a medical model"
_SUMMARIES = {
    "tiny-cxr-clip": (
        f"a 2-million-parameter CLIP trained on synthetic radiographs; {_INSTRUMENT}"
    ),
    "tiny-cxr-clip-robust": (
        f"the same, trained on partly hidden synthetic radiographs; {_INSTRUMENT}"
    ),
    "tiny-cxr-openclip": (
        f"open_clip's residual network, trained on synthetic radiographs; {_INSTRUMENT}"
    ),
    "tiny-general-clip": (
        f"a CLIP trained on coloured shapes, at chance on radiographs; {_INSTRUMENT}"
    ),
}


def register(catalogue: Catalogue[ModelEntry]) -> None:
    for name, summary in _SUMMARIES.items():
        catalogue.add(ModelEntry(name, summary, partial(_load, name), embedded=True))


def _load(name: str, request: LoadRequest) -> DualEncoder:
    folder = WEIGHTS / name
    # A damaged file would only change the numbers, and no library would report it.
    check_sums(folder)
    if (folder / "open_clip_config.json").exists():
        from ._formats.open_clip import load_folder

        return load_folder(name, folder, request, shown_source="embedded")
    from ._formats.transformers import load_pretrained

    return load_pretrained(name, str(folder), request, shown_source="embedded")


def check_sums(folder: Path) -> None:
    """Compare the files of embedded weights with the hashes that they were shipped with.

    Raises `ModelError` that names the first damaged or missing file and how to fix it.
    """
    from hashlib import sha256

    for name, expected in _expected_sums(folder).items():
        file = folder / name
        actual = "no such file"
        if file.exists():
            actual = sha256(file.read_bytes()).hexdigest()
        if actual != expected:
            raise ModelError(
                f"Expected {folder.name}/{name} with sha256={expected[:12]}..., got"
                f" {actual[:12]}. The embedded weights are damaged: reinstall the"
                " package (pip install --force-reinstall pytest-retrieval-robust), or"
                f" in a clone restore the file (git checkout -- {folder.name}/{name} in"
                " its weights folder)."
            )


def _expected_sums(folder: Path) -> dict[str, str]:
    """The hash of each file by its name."""
    sums = folder / SUMS
    if not sums.exists():
        # No file has this hash, so that the list itself is reported as missing.
        return {SUMS: "?" * 64}
    expected: dict[str, str] = {}
    for line in filter(None, sums.read_text(encoding="utf-8").split("\n")):
        sha256, _, name = line.partition("  ")
        expected[name] = sha256
    return expected
