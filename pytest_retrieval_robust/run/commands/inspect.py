"""`inspect NAME`: what a data set holds."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from ...core.words import counted
from ._errors import Commands, report_error, text_of
from ._in_pytest import CommandInPytest, check_single
from ._inspected import configured_dataset

if TYPE_CHECKING:
    from ...datasets import RetrievalDataset
    from ...measure.image_checks import Repeat

Opener: TypeAlias = "Callable[[str], RetrievalDataset]"
"""Opens a data set as typed: `open-i(text=findings)`."""


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "inspect",
        help="show what a data set holds; exit 1: an image is missing or broken",
    )
    parser.add_argument(
        "dataset",
        metavar="NAME",
        help="as after --robust-datasets: open-i(reports=FOLDER)",
    )
    parser.add_argument(
        "--config",
        type=Path,
        help="the robust.toml with [datasets.NAME]; by default that of the suite here",
    )
    parser.add_argument(
        "--model", help="count the reports that this model's context cuts"
    )
    parser.add_argument(
        "--tests", metavar="PATH", help="the suite whose conftest and robust.toml count"
    )
    parser.add_argument(
        "--images",
        action="store_true",
        help="decode every image: which are broken, repeated or nearly the same",
    )
    parser.add_argument(
        "--against",
        metavar="NAME",
        help="count what is in another data set too, such as the training split",
    )
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="with --write-ids: the first N, as --robust-limit",
    )
    parser.add_argument(
        "--write-ids",
        type=Path,
        metavar="FILE",
        help="write the ids that would be evaluated",
    )
    parser.add_argument(
        "--write-repeats",
        type=Path,
        metavar="FILE",
        help="write the ids of images that are repeated or nearly the same",
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    from ...core.errors import RobustError

    if parsed.tests is not None:
        return _run_in_pytest(parsed)
    try:
        return _show(parsed, lambda text: configured_dataset(text, parsed.config))
    except RobustError as error:
        return report_error(text_of(error))


def _show(parsed: argparse.Namespace, open_named: Opener) -> int:
    """Print what the data set holds; 1 if an image cannot be read."""
    from ...measure.api import load_model
    from ...measure.image_checks import check_images
    from ...measure.inspection import inspect, missing_images
    from ...measure.overlap import shared_lines
    from ...measure.pairs import pairs_of

    dataset = open_named(parsed.dataset)
    # Before anything is printed or decoded: mistakes are reported at once.
    other = None if parsed.against is None else open_named(parsed.against)
    model = None if parsed.model is None else load_model(parsed.model)
    _print(inspect(dataset, model=model))
    with_images = parsed.images or parsed.write_repeats is not None
    checked = check_images(dataset) if with_images else missing_images(dataset)
    _print(checked.lines)
    if other is not None:
        _print(shared_lines(dataset, other, images=with_images))
    ids = pairs_of(dataset, parsed.limit).image_ids
    if parsed.write_ids is not None:
        _write_ids(ids, parsed.write_ids)
    if parsed.write_repeats is not None:
        _write_repeats(checked.repeats, dataset.image_ids, parsed.write_repeats)
    return 1 if checked.unreadable else 0


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _write_ids(ids: Sequence[str], file: Path) -> None:
    _write(file, ["image_id"], ([image_id] for image_id in ids))
    print(f"  {counted(len(ids), 'id')} written to {file.name}")


def _write_repeats(repeats: Sequence[Repeat], ids: Sequence[str], file: Path) -> None:
    rows = [
        (number, repeat.kind, ids[image])
        for number, repeat in enumerate(repeats, 1)
        for image in repeat.images
    ]
    _write(file, ("group", "kind", "image_id"), rows)
    written = counted(len(rows), "id")
    print(f"  {written} of repeated images written to {file.name}")


def _write(file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


class _InspectCommand(CommandInPytest):
    def __init__(self, parsed: argparse.Namespace) -> None:
        self._parsed = parsed

    def work(self, config: pytest.Config) -> int:
        from ..selected_datasets import named_dataset
        from ..session import session_of

        check_single("dataset", self._parsed.dataset)
        session = session_of(config)
        file = session.settings.config_file
        tables = () if file is None else file.datasets

        def open_named(text: str) -> RetrievalDataset:
            # Not the session's selection: a mistake in another table would stop it.
            return named_dataset(text, tables, session.catalogues.datasets).load()

        return _show(self._parsed, open_named)


def _run_in_pytest(parsed: argparse.Namespace) -> int:
    arguments = [parsed.tests]
    if parsed.config is not None:
        arguments.append(f"--robust-config={parsed.config}")
    return _InspectCommand(parsed).run(arguments)
