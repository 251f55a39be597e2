"""The embedded encoders: small, trained on synthetic pictures, in the package, so that
they run everywhere.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..catalogue import Catalogue
from ..errors import ModelError
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

    sums = folder / SUMS
    listed = (
        sums.read_text(encoding="utf-8").split("\n")
        if sums.exists()
        else [f"{'?' * 64}  {SUMS}"]
    )
    for line in filter(None, listed):
        expected, _, name = line.partition("  ")
        file = folder / name
        found = (
            sha256(file.read_bytes()).hexdigest() if file.exists() else "no such file"
        )
        if found != expected:
            raise ModelError(
                f"Expected {folder.name}/{name} with sha256={expected[:12]}..., got"
                f" {found[:12]}. The embedded weights are damaged: reinstall the"
                " package (pip install --force-reinstall pytest-retrieval-robust), or"
                f" in a clone restore the file (git checkout -- {folder.name}/{name} in"
                " its weights folder)."
            )
