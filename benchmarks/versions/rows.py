"""What one environment gives: rows of the embedded encoders, and versions of libraries.

python -m benchmarks.versions.rows OUT.npz
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_retrieval_robust import load_dataset, load_model, load_occluder
from pytest_retrieval_robust.models import DualEncoder
from pytest_retrieval_robust.occluders import WHOLE

LIBRARIES = (
    "pytest",
    "torch",
    "transformers",
    "open_clip_torch",
    "numpy",
    "pillow",
    "hypothesis",
    "pytest-benchmark",
)
MODELS = {
    "tiny-cxr-clip": "synthetic-cxr",
    "tiny-cxr-clip-robust": "synthetic-cxr",
    "tiny-cxr-openclip": "synthetic-cxr",
    "tiny-general-clip": "synthetic-scenes",
}
_PAIRS = 64
_LEVEL = 0.3
# The drawn pictures have the encoders' size. Doubled, they are resized as a user's are.
_SCALES = (1, 2)


def _rows(name: str) -> dict[str, NDArray[np.float32]]:
    """Rows of reports and of pictures, whole and hidden, and the prepared pictures."""
    import torch

    model: DualEncoder = load_model(name, device="cpu")
    data = load_dataset(MODELS[name])
    occluder = load_occluder("patches")
    rows = {"reports": model.encode_reports(data.reports[:_PAIRS]).numpy()}
    side = model.prepare(data.image(0)).pixels.shape[-1]
    # Pixels that no library made, so that rows differ by the networks alone.
    levels = np.arange(_PAIRS * 3 * side * side, dtype=np.int64) * 2654435761 % 251
    given = torch.from_numpy((levels / 251).astype(np.float32))
    given = given.reshape(_PAIRS, 3, side, side)
    rows["images x0"] = model.encode_images(given).numpy()
    for scale in _SCALES:
        pictures = []
        for index in range(_PAIRS):
            image = data.image(index)
            # Not a square, so that it is cropped too.
            size = (image.width * scale + scale - 1, image.height * scale)
            # Pixels are repeated, which no version rounds otherwise.
            pictures.append(model.prepare(image.resize(size, resample=0)).pixels)
        pixels = torch.from_numpy(np.stack(pictures)).float() / 255
        ids = data.image_ids[:_PAIRS]
        hidden = occluder.occlude(pixels, ids, _LEVEL, 0, WHOLE)
        rows[f"pictures x{scale}"] = np.stack(pictures)
        rows[f"images x{scale}"] = model.encode_images(pixels).numpy()
        rows[f"hidden x{scale}"] = model.encode_images(hidden).numpy()
    return rows


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


def main() -> None:
    arrays = {
        f"{name}/{part}": rows for name in MODELS for part, rows in _rows(name).items()
    }
    keyword_arrays: Any = arrays
    np.savez(sys.argv[1], **keyword_arrays)
    versions = {library: _version(library) for library in LIBRARIES}
    print(json.dumps({"Python": platform.python_version(), **versions}))


if __name__ == "__main__":
    main()
