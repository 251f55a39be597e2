"""How fast `synthetic-cxr` is drawn, on one core: `python -m benchmarks.rendering`.

Images per second of CPU time, the best of five interleaved rounds. Beside it the same
pictures decoded from PNG in memory and shrunk from 1,024 pixels, as a reader of files
would do.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from functools import partial

from PIL import Image

from pytest_retrieval_robust.datasets.synthetic_cxr.render import render
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import Study, draw

SIZES = {96: 200, 128: 200, 224: 100, 512: 20}
_FILE = 1024
_ROUNDS = 5


def main() -> None:
    """Print a table."""
    studies = [draw(1, number, "test") for number in range(200)]
    files = [_png(number) for number in range(10)]
    print("pixels   drawn/s   read and shrunk from PNG/s   ratio")
    for size, count in SIZES.items():
        drawn = read = 0.0
        for _ in range(_ROUNDS):
            drawn = max(drawn, _rate(count, partial(_draw, studies, size)))
            read = max(read, _rate(len(files), partial(_read, files, size)))
        print(f"{size:6d} {drawn:9.0f} {read:28.0f} {drawn / read:7.1f}")


def _rate(count: int, action: Callable[[int], object]) -> float:
    action(0)
    began = time.process_time()
    for number in range(count):
        action(number)
    return count / (time.process_time() - began)


def _png(number: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(render(draw(1, number, "test"), _FILE, _FILE)).save(stream, "PNG")
    return stream.getvalue()


def _draw(studies: Sequence[Study], size: int, number: int) -> object:
    return render(studies[number], size, size)


def _read(files: Sequence[bytes], size: int, number: int) -> Image.Image:
    picture = Image.open(io.BytesIO(files[number]))
    return picture.resize((size, size), Image.Resampling.BICUBIC)


if __name__ == "__main__":
    main()
