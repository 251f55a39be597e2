"""`rank MODEL NAME`: the ranks of a data set's first images, before and after hiding."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ...core.words import counted
from ..options import PASSED_ON
from ._errors import USAGE_ERROR, Commands
from ._in_pytest import TESTS_ADVICE, CommandInPytest, check_single, check_tests
from ._inspected import suite_of

if TYPE_CHECKING:
    from ...measure.first_ranks import FirstRanks
    from ...occluders import Occluder


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "rank",
        help="show the ranks of a data set's first images, before and after hiding",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="one name or locator, as after --robust-models"
    )
    parser.add_argument(
        "dataset", metavar="NAME", help="one data set, as after --robust-datasets"
    )
    parser.add_argument(
        "--occluder",
        default="patches",
        help="one occluder, as after --robust-occluders",
    )
    parser.add_argument(
        "--level",
        type=float,
        required=True,
        help="the share of the image to hide, from 0 to 1",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="the layout of the mask (default: 0)"
    )
    parser.add_argument(
        "--images",
        type=int,
        default=50,
        metavar="N",
        help="the data set's first N (default: 50)",
    )
    parser.add_argument(
        "--image", type=int, metavar="NUMBER", help="show this one alone, from 0"
    )
    parser.add_argument(
        "--tests",
        metavar="PATH",
        help="the suite whose conftest and robust.toml count (default: the one here)",
    )
    for option in PASSED_ON:
        parser.add_argument(f"--{option}", help=f"as --robust-{option}")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    # The command line of a run, so that models and data sets mean the same as there.
    values = {
        "models": parsed.model,
        "datasets": parsed.dataset,
        "occluders": parsed.occluder,
    }
    for option in PASSED_ON:
        values[option] = getattr(parsed, option.replace("-", "_"))
    options = [
        f"--robust-{option}={text}"
        for option, text in values.items()
        if text is not None
    ]
    suite = suite_of(parsed, parsed.model, parsed.dataset)
    return _RankCommand(parsed).run([*suite, *options])


class _RankCommand(CommandInPytest):
    def __init__(self, parsed: argparse.Namespace) -> None:
        self._parsed = parsed
        if parsed.tests is None:
            self.advice = TESTS_ADVICE

    def work(self, config: pytest.Config) -> int:
        from ...core.errors import RobustError
        from ...core.foreign import FOREIGN, described, let_go, traced

        try:
            lines = list(self._lines(config))
        except RobustError:
            raise
        except FOREIGN as error:
            ours = RobustError(
                f"Expected the model and the data set to work, got {described(error)}."
                " Fix them."
            )
            self.error = traced(ours, error).shown
            let_go(error)
            return USAGE_ERROR
        for line in lines:
            print(line)
        return 0

    def _lines(self, config: pytest.Config) -> Iterator[str]:
        from ...measure.first_ranks import FirstRanks
        from ..session import session_of

        parsed = self._parsed
        check_tests(parsed.tests)
        for kind in ("model", "dataset", "occluder"):
            check_single(kind, getattr(parsed, kind))
        session = session_of(config)
        selection = session.selection
        # A model that robust.toml requires is selected too, after the one that was typed.
        model = next(iter(selection.models))
        dataset = next(iter(selection.datasets))
        (occluder,) = selection.occluders.values()
        ranks = FirstRanks(
            session.loader.model(model), session.loader.dataset(dataset), parsed.images
        )
        return rank_lines(
            ranks, model, occluder, parsed.level, parsed.seed, parsed.image
        )


def rank_lines(
    ranks: FirstRanks,
    model: str,
    occluder: Occluder,
    level: float,
    seed: int,
    image: int | None = None,
) -> Iterator[str]:
    """The shares that are hidden, and each image whose rank changed, or `image` alone.

    No id and no text is shown.
    """
    from ...measure.first_ranks import TOP

    hidden = ranks.hidden(occluder, level, seed, image)
    yield (
        f"{model} on {ranks.dataset.name}, {occluder.name} at level {level!r}, seed"
        f" {seed}"
    )
    yield (
        f"  hidden: {hidden.share:.4f} of the image, {hidden.visible_share:.4f} of what"
        " the model sees"
    )
    yield (
        f"  rank of the right report among {ranks.gallery}, with nothing hidden ->"
        " hidden:"
    )
    if image is not None:
        yield f"    {hidden.changes[0]}"
        return
    changed = [change for change in hidden.changes if change.before != change.after]
    for change in changed:
        yield f"    {change}"
    yield f"  changed: {len(changed)} of {counted(len(hidden.changes), 'image')}"
    yield f"  kept in the top {TOP}: {hidden.kept} of {counted(hidden.found, 'image')}"
