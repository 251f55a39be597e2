"""How fast `synthetic-cxr` is drawn, on one core: `python -m benchmarks.rendering`.

Images a second of CPU time, the best of five interleaved rounds, and beside it the same
pictures decoded from PNG in memory and shrunk from 1,024 pixels: what a reader of files
pays for them.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable

from PIL import Image

from pytest_retrieval_robust.datasets.synthetic_cxr.render import render
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import draw

SIZES = {96: 200, 128: 200, 224: 100, 512: 20}
_FILE, _ROUNDS = 1024, 5


def main() -> None:
    """Print a table."""
    studies = [draw(1, number, "test") for number in range(200)]
    files = [_png(number) for number in range(10)]
    print("pixels   drawn/s   read and shrunk from PNG/s   ratio")
    for size, count in SIZES.items():
        drawn = read = 0.0
        for _ in range(_ROUNDS):
            drawn = max(
                drawn,
                _rate(count, lambda n, side=size: render(studies[n], side, side)),  # type: ignore[misc]
            )
            read = max(
                read,
                _rate(len(files), lambda n, side=size: _read(files[n], side)),  # type: ignore[misc]
            )
        print(f"{size:6d} {drawn:9.0f} {read:28.0f} {drawn / read:7.1f}")


def _rate(count: int, draw_one: Callable[[int], object]) -> float:
    draw_one(0)
    began = time.process_time()
    for number in range(count):
        draw_one(number)
    return count / (time.process_time() - began)


def _png(number: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(render(draw(1, number, "test"), _FILE, _FILE)).save(stream, "PNG")
    return stream.getvalue()


def _read(content: bytes, side: int) -> Image.Image:
    return Image.open(io.BytesIO(content)).resize(
        (side, side), Image.Resampling.BICUBIC
    )


if __name__ == "__main__":
    main()
