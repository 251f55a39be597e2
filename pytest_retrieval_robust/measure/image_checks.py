"""Every image of a data set decoded once: what is broken, and what is there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..core.encoding import open_image
from ..core.errors import RobustError, UnreadableImageError
from ..core.words import counted
from ..datasets._pixels.deep_grey import USED_BITS
from .alike import alike, levels_of
from .sweep.decode import picture_digest

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..datasets import RetrievalDataset

Kind: TypeAlias = Literal["same", "nearly the same"]
_MOST_LISTED = 20
"""Problems that are listed; of the others only the count is given."""


@dataclass(frozen=True)
class Repeat:
    """Images that show one picture."""

    kind: Kind
    """`same`: pixel for pixel; `nearly the same`: as `alike` decides."""
    images: tuple[int, ...]
    """Their numbers in the data set."""


@dataclass(frozen=True)
class ImageCheck:
    """What decoding every image showed."""

    lines: Sequence[str]
    unreadable: int
    """Images that are broken, missing or refused."""
    repeats: Sequence[Repeat] = ()


@dataclass(frozen=True, repr=False)
class CheckedImage:
    """What decoding one image showed."""

    mode: str = ""
    digest: bytes = b""
    levels: bytes | None = None
    """None for a picture that is too plain to be compared."""
    is_blank: bool = False
    used_bits: int | None = None


@dataclass(frozen=True, repr=False)
class Checked:
    """All images of a data set, looked at once."""

    images: Mapping[int, CheckedImage]
    """By their numbers, without those that cannot be read."""
    problems: Sequence[str] = field(default_factory=tuple)


def look_at(dataset: RetrievalDataset) -> Checked:
    """Decode every image of a data set, several at a time."""
    from concurrent.futures import ThreadPoolExecutor

    def check(number: int) -> CheckedImage | str:
        """The image, or what is wrong with it."""
        try:
            image = open_image(dataset, number, f"image number {number}")
        except UnreadableImageError as error:
            return f"broken: {error}"
        except RobustError as error:
            return f"refused: {error}"
        levels = levels_of(image)
        is_blank = levels is None and _is_blank(image)
        used_bits = image.info.get(USED_BITS)
        digest = picture_digest(image)
        return CheckedImage(image.mode, digest, levels, is_blank, used_bits)

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(check, range(len(dataset.image_ids))))
    images = {
        number: result
        for number, result in enumerate(results)
        if isinstance(result, CheckedImage)
    }
    problems = [result for result in results if isinstance(result, str)]
    return Checked(images, problems)


def _is_blank(image: Image) -> bool:
    least, greatest = image.convert("L").getextrema()
    return least == greatest


def check_images(dataset: RetrievalDataset) -> ImageCheck:
    """Decode every image: its mode, whether it is broken or missing, and repeats."""
    checked = look_at(dataset)
    repeats = [*_same(checked.images), *_nearly_the_same(checked.images)]
    lines = (
        *_mode_lines(checked),
        *problem_lines(checked.problems),
        *_repeat_lines(repeats, dataset.patients),
        *_plain_lines(checked),
        *_bits_lines(checked),
    )
    return ImageCheck(lines, len(checked.problems), repeats)


def _same(images: Mapping[int, CheckedImage]) -> list[Repeat]:
    numbers_of: dict[bytes, list[int]] = {}
    for number, image in images.items():
        numbers_of.setdefault(image.digest, []).append(number)
    groups = [group for group in numbers_of.values() if len(group) > 1]
    return [Repeat("same", tuple(group)) for group in groups]


def _nearly_the_same(images: Mapping[int, CheckedImage]) -> list[Repeat]:
    """Groups of pictures that are alike, and not all the same pixel for pixel."""
    levels = {
        number: image.levels
        for number, image in images.items()
        if image.levels is not None
    }
    numbers_of: dict[int, list[int]] = {}
    groups = alike(list(levels.values())).tolist()
    for number, group in zip(levels, groups, strict=True):
        numbers_of.setdefault(group, []).append(number)
    return [
        Repeat("nearly the same", tuple(numbers))
        for numbers in numbers_of.values()
        if len({images[number].digest for number in numbers}) > 1
    ]


def _mode_lines(checked: Checked) -> Iterator[str]:
    modes = Counter(image.mode for image in checked.images.values())
    for mode, count in sorted(modes.items()):
        yield f"  {mode} images: {count}"


def problem_lines(problems: Sequence[str]) -> Iterator[str]:
    """The first problems, each once, and how many more there are."""
    kinds = list(Counter(problems).items())
    for problem, count in kinds[:_MOST_LISTED]:
        several = "" if count == 1 else f" ({count} images)"
        yield f"  {problem}{several}"
    more = sum(count for _, count in kinds[_MOST_LISTED:])
    if more:
        yield f"  and {counted(more, 'more image')} that cannot be read"


def _repeat_lines(repeats: Sequence[Repeat], patients: Sequence[str]) -> Iterator[str]:
    # Where each image is its own patient, the data most likely names none.
    has_patients = len(set(patients)) < len(patients)
    titles: Mapping[Kind, str] = {
        "same": "repeated images, pixel for pixel",
        "nearly the same": "nearly the same images (resized, compressed, brighter)",
    }
    for kind, title in titles.items():
        groups = [repeat.images for repeat in repeats if repeat.kind == kind]
        if not groups:
            continue
        images = sum(len(group) for group in groups)
        line = f"  {title}: {images} images of {counted(len(groups), 'picture')}"
        if has_patients:
            across = sum(len({patients[n] for n in group}) > 1 for group in groups)
            line += f", {across} of them with several patients"
        yield line


def _plain_lines(checked: Checked) -> Iterator[str]:
    plain = [image for image in checked.images.values() if image.levels is None]
    blank = sum(image.is_blank for image in plain)
    if plain:
        yield (
            f"  too plain to be compared: {counted(len(plain), 'image')}, {blank} of"
            " them blank"
        )


def _bits_lines(checked: Checked) -> Iterator[str]:
    images = checked.images.values()
    used_bits = [image.used_bits for image in images if image.used_bits is not None]
    most = max(used_bits, default=16)
    if most < 16:
        yield (
            f"  16-bit images use {most} bits at most, so that none is brighter than"
            f" {100 * 2**most / 65536:.0f} % of white: bits={most} shows them in full"
        )
