"""`inspect NAME`: what a data set holds."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ...core.words import counted
from ._errors import Commands, report_error, text_of
from ._in_pytest import CommandInPytest, check_single

if TYPE_CHECKING:
    from ...datasets import RetrievalDataset


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "inspect", help="show what a data set holds; opens no image unless asked to"
    )
    parser.add_argument(
        "dataset",
        metavar="NAME",
        help="as after --robust-datasets: open-i(reports=FOLDER)",
    )
    parser.add_argument(
        "--config",
        type=Path,
        help="the robust.toml with [datasets.NAME]; by default the one here",
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
        help="decode every image; exit 1: one is broken or missing",
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
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    from ...core.errors import RobustError

    if parsed.tests is not None:
        return _run_in_pytest(parsed)
    try:
        return _show(parsed, _configured_dataset(parsed))
    except RobustError as error:
        return report_error(text_of(error))


def _configured_dataset(parsed: argparse.Namespace) -> RetrievalDataset:
    """The data set of that name, with its table of `robust.toml`."""
    from ...core.catalogue import Catalogues
    from ...core.config_file import read_config_file
    from ...core.errors import UnknownNameError
    from ..selected_datasets import named_dataset

    file = Path("robust.toml") if parsed.config is None else parsed.config
    # A file that was named must exist; the one in this folder need not.
    has_config = parsed.config is not None or file.is_file()
    tables = read_config_file(file).datasets if has_config else ()
    try:
        selected = named_dataset(parsed.dataset, tables, Catalogues().datasets)
    except UnknownNameError as error:
        raise UnknownNameError(f"{error} {_advice(has_config)}") from None
    return selected.load()


def _advice(has_config: bool) -> str:
    """Where a data set may be known that is unknown here."""
    conftest = "A data set that a conftest registers is known with --tests PATH."
    if has_config:
        return conftest
    policies = sorted(Path().glob("*/robust.toml"))
    option = f"--config {policies[0]}" if policies else "--config FILE"
    return (
        "No robust.toml is in this folder: for one of its [datasets.NAME] tables give"
        f" {option}. {conftest}"
    )


def _show(parsed: argparse.Namespace, dataset: RetrievalDataset) -> int:
    """Print what the data set holds; 1 where an image cannot be read."""
    from ...measure.api import load_model
    from ...measure.inspection import check_images, inspect
    from ...measure.pairs import pairs_of

    model = None if parsed.model is None else load_model(parsed.model)
    for line in inspect(dataset, model=model):
        print(line)
    unreadable = 0
    if parsed.images:
        checked = check_images(dataset)
        unreadable = checked.unreadable
        for line in checked.lines:
            print(line)
    if parsed.write_ids is not None:
        _write_ids(pairs_of(dataset, parsed.limit).image_ids, parsed.write_ids)
    return 1 if unreadable else 0


def _write_ids(ids: Sequence[str], file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["image_id"])
        writer.writerows([image_id] for image_id in ids)
    print(f"  {counted(len(ids), 'id')} written to {file.name}")


class _InspectCommand(CommandInPytest):
    def __init__(self, parsed: argparse.Namespace) -> None:
        self._parsed = parsed

    def work(self, config: pytest.Config) -> int:
        from ..session import session_of

        check_single("dataset", self._parsed.dataset)
        session = session_of(config)
        name = next(iter(session.selection.datasets))
        return _show(self._parsed, session.loader.dataset(name))


def _run_in_pytest(parsed: argparse.Namespace) -> int:
    arguments = [parsed.tests, f"--robust-datasets={parsed.dataset}"]
    if parsed.config is not None:
        arguments.append(f"--robust-config={parsed.config}")
    return _InspectCommand(parsed).run(arguments)
