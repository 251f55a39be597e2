"""The command line that shows the ranks of a failing example again."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..models.locators import entry_for, is_locator
from .options import PASSED_ON

if TYPE_CHECKING:
    from ..occluders import Occluder
    from .settings import Settings


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
    """What else a command line needs, so that it means the same model on the same machine."""

    locators: Mapping[str, str]
    """Name of a model -> the locator that it was given by."""
    words: Sequence[str]


def replay_options(
    settings: Settings, typed: Callable[[str], object], tests: str
) -> ReplayOptions:
    """The options of `rank` for a suite in the folder `tests`.

    `typed` gives what was typed for an option of a run.
    """
    words: list[str] = []
    for option in PASSED_ON:
        value = typed(f"robust_{option.replace('-', '_')}")
        if value is not None:
            words += [f"--{option}", str(value)]
    if tests != ".":
        words += ["--tests", tests]
    locators = {}
    for item in settings.models or ():
        if is_locator(item):
            locators[entry_for(item).name] = item
    return ReplayOptions(locators, words)


def replay_command(
    model: str, dataset: str, example: Example, options: ReplayOptions
) -> str:
    """The command line that shows the ranks of an example again.

    The level is written so that it is read again as the same number: a share of whole
    cells stays one.
    """
    words = [
        *("python", "-m", "pytest_retrieval_robust", "rank"),
        options.locators.get(model, model),
        dataset,
        *("--occluder", example.occluder.name),
        *("--level", repr(float(example.level))),
        *("--seed", str(example.seed)),
        *options.words,
    ]
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """In double quotes, which every shell takes, where that is enough."""
    if re.fullmatch(r"[\w./:@%+,=-]+", word):
        return word
    if os.name == "posix" and re.search(r'["$`\\!]', word):
        return shlex.quote(word)
    return f'"{word}"'
