"""Painting and drawing of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ..core.words import known_word

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn
    from PIL.Image import Image

Kind: TypeAlias = Literal["flat", "ramp", "checkers", "film", "noise"]
Mode: TypeAlias = Literal["L", "RGB"]
_MOST_ASPECT = 16
"""Longer strips are cut to nothing, or refused, by published preprocessing."""
_SEEDS = 2**32 - 1


def picture(
    width: int,
    height: int,
    mode: Mode = "L",
    kind: Kind = "flat",
    darkest: int = 0,
    brightest: int = 255,
    seed: int = 0,
) -> Image:
    """An image of grey levels from `darkest` to `brightest`.

    In mode `RGB` its channels differ, unless it is flat.

    >>> np.asarray(picture(3, 1, kind="ramp")).tolist()
    [[0, 128, 255]]

    Args:
        width: In pixels.
        height: In pixels.
        mode: `L` or `RGB`.
        kind: `flat` (all of it darkest), `ramp` (across; green goes down), `checkers` (8 x
            8 squares), `film` (two dark lungs in a bright body), `noise` (of each pixel
            and channel, from the seed).
        darkest: The lowest grey level, in 0..255.
        brightest: The highest grey level, in 0..255.
        seed: Which noise.
    """
    from PIL import Image

    known_word("mode", mode, get_args(Mode))
    known_word("kind", kind, get_args(Kind))
    channels = range(1 if mode == "L" else 3)
    planes = [_shares(kind, width, height, channel, seed) for channel in channels]
    shares = np.stack(planes, axis=-1)
    pixels = np.rint(darkest + shares * (brightest - darkest)).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if mode == "L" else pixels)


def _shares(
    kind: Kind, width: int, height: int, channel: int, seed: int
) -> NDArray[Any]:
    """(H, W) in 0..1: how bright each pixel of a channel is."""
    x = np.arange(width)[None, :]
    y = np.arange(height)[:, None]
    if kind == "flat":
        return np.zeros((height, width))
    if kind == "noise":
        # Of all of NumPy's generators only this one has a frozen stream.
        random = np.random.RandomState([seed, channel])
        return random.uniform(size=(height, width))
    if kind == "checkers":
        squares = x * 8 // width + y * 8 // height
        return np.asarray((squares + channel) % 2, dtype=np.float64)
    if kind == "ramp":
        across = x / max(1, width - 1) + 0 * y
        down = y / max(1, height - 1) + 0 * x
        return np.asarray((across, down, (across + down) / 2)[channel])
    # A film: positions from the centre, from -0.5 to 0.5.
    u = (x + 0.5) / width - 0.5
    v = (y + 0.5) / height - 0.5
    lungs = ((np.abs(u) - 0.2) / 0.15) ** 2 + (v / 0.35) ** 2 < 1
    body = np.maximum(np.abs(u), np.abs(v)) < 0.45
    return np.where(body & ~lungs, 1.0 - 0.1 * channel, 0.0)


@st.composite
def images(draw: DrawFn, *, min_side: int, max_side: int) -> Image:
    kind = draw(st.sampled_from(get_args(Kind)))
    mode = draw(st.sampled_from(get_args(Mode)))
    width = draw(st.integers(min_side, max_side))
    lowest = max(min_side, -(-width // _MOST_ASPECT))
    height = draw(st.integers(lowest, min(max_side, width * _MOST_ASPECT)))
    chosen: dict[str, Any] = {
        "mode": mode,
        "kind": kind,
        "darkest": draw(st.integers(0, 255)),
    }
    if kind != "flat":
        chosen["brightest"] = draw(st.integers(chosen["darkest"], 255))
    if kind == "noise":
        chosen["seed"] = draw(st.integers(0, _SEEDS))
    image = picture(width, height, **chosen)
    keywords = "".join(f", {name}={value!r}" for name, value in chosen.items())
    _print_as(image, f"picture({width}, {height}{keywords})")
    return image


def _print_as(image: Image, call: str) -> None:
    """Have Hypothesis print the call that paints the image: Pillow prints its size alone."""
    vars(image)["_repr_pretty_"] = lambda printer, _: printer.text(call)
