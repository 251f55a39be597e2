"""The command line that shows the ranks of an example again, and what it prints."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ...measure.first_ranks import TOP, FirstRanks
from ...models.locators import entry_for, is_locator
from ..options import PASSED_ON

if TYPE_CHECKING:
    from ...occluders import Occluder
    from ..options import Settings


def replay_lines(
    ranks: FirstRanks,
    model: str,
    occluder: Occluder,
    level: float,
    seed: int,
    image: int | None = None,
) -> Iterator[str]:
    """What `rank` prints: the shares hidden, and each image whose rank changed; or
    `image` alone. No id, no text.
    """
    found = ranks.hidden(occluder, level, seed, image)
    yield (
        f"{model} on {ranks.dataset.name}, {occluder.name} at level {level!r}, seed"
        f" {seed}"
    )
    yield (
        f"  hidden: {found.share:.4f} of the image, {found.visible_share:.4f} of what"
        " the model sees"
    )
    yield (
        f"  rank of the right report among {ranks.gallery}, with nothing hidden ->"
        " hidden:"
    )
    if image is not None:
        yield f"    {found.changes[0]}"
        return
    changed = [change for change in found.changes if change.before != change.after]
    yield from (f"    {change}" for change in changed)
    yield f"  changed: {len(changed)} of {len(found.changes)} images"
    yield f"  kept in the top {TOP}: {found.kept} of {found.found} images"


class Example(Protocol):
    """An occluder at a level with a seed: `strategies.Occlusion`."""

    @property
    def occluder(self) -> Occluder: ...

    @property
    def level(self) -> float: ...

    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class ReplayOptions:
    """What else a command line needs so that it means the same model on the same machine."""

    locators: Mapping[str, str]
    """Name of a model -> the locator that it was asked for by."""
    words: Sequence[str]


def replay_options(
    settings: Settings, typed: Callable[[str], object], tests: str
) -> ReplayOptions:
    """The options of `rank` for a suite in the folder `tests`; `typed` gives what was
    typed for an option of a run.
    """
    asked = {
        f"--{name}": typed(f"robust_{name.replace('-', '_')}") for name in PASSED_ON
    }
    asked["--tests"] = None if tests == "." else tests
    words = [
        str(word)
        for option in asked.items()
        if option[1] is not None
        for word in option
    ]
    return ReplayOptions(
        {
            entry_for(item).name: item
            for item in settings.models or ()
            if is_locator(item)
        },
        words,
    )


def replay_command(
    model: str, dataset: str, example: Example, options: ReplayOptions
) -> str:
    """The command line that shows the ranks of an example again.

    The level is written so that it is read again as the same number: a share of whole
    cells stays one.
    """
    words = [
        "python",
        "-m",
        "pytest_retrieval_robust",
        "rank",
        options.locators.get(model, model),
        dataset,
    ]
    words += [
        "--occluder",
        example.occluder.name,
        "--level",
        repr(float(example.level)),
        "--seed",
        str(example.seed),
    ]
    return " ".join(map(_quoted, [*words, *options.words]))


def _quoted(word: str) -> str:
    """In double quotes, which every shell takes, where that is enough."""
    if re.fullmatch(r"[\w./:@%+,=-]+", word):
        return word
    return (
        shlex.quote(word)
        if os.name == "posix" and re.search(r'["$`\\!]', word)
        else f'"{word}"'
    )
