"""`inspect NAME`: what a data set holds."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from ...core.words import counted
from ._errors import Commands, reason_of, report_error, text_of
from ._in_pytest import CommandInPytest, check_single, check_tests
from ._inspected import configured_dataset, configured_model

if TYPE_CHECKING:
    from ...datasets import RetrievalDataset
    from ...measure.image_checks import Repeat
    from ...models import DualEncoder

_IDS = "--write-ids"
_REPEATS = "--write-repeats"
DatasetOpener: TypeAlias = "Callable[[str], RetrievalDataset]"
"""Opens a data set as typed: `open-i(text=findings)`."""
ModelOpener: TypeAlias = "Callable[[str], DualEncoder]"
"""Loads a model as typed: a name, or a locator."""


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
        _IDS,
        type=Path,
        metavar="FILE",
        help="write the ids that would be evaluated",
    )
    parser.add_argument(
        _REPEATS,
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
        return _show(
            parsed,
            lambda text: configured_dataset(text, parsed.config),
            lambda text: configured_model(text, parsed.dataset, parsed.config),
        )
    except RobustError as error:
        return report_error(text_of(error))


def _show(
    parsed: argparse.Namespace, open_named: DatasetOpener, open_model: ModelOpener
) -> int:
    """Print what the data set holds; 1 if an image cannot be read."""
    from ...measure.image_checks import check_images
    from ...measure.inspection import inspect, missing_images
    from ...measure.overlap import shared_lines
    from ...measure.pairs import pairs_of

    _check_written(parsed)
    dataset = open_named(parsed.dataset)
    # Before anything is printed or decoded: mistakes are reported at once.
    other = None if parsed.against is None else open_named(parsed.against)
    model = None if parsed.model is None else open_model(parsed.model)
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


def _check_written(parsed: argparse.Namespace) -> None:
    """Raise `ConfigError` for files that cannot be written, before images are decoded."""
    from ...core.errors import ConfigError
    from ..outputs import check_written, same_place

    if parsed.write_ids is not None:
        check_written(_IDS, parsed.write_ids)
    if parsed.write_repeats is not None:
        check_written(_REPEATS, parsed.write_repeats)
    both = (parsed.write_ids, parsed.write_repeats)
    if None not in both and same_place(*both):
        raise ConfigError(
            f"Expected two files, got {_IDS} and {_REPEATS} with the same. Give each its"
            " own name."
        )


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _write_ids(ids: Sequence[str], file: Path) -> None:
    _write(_IDS, file, ["image_id"], ([image_id] for image_id in ids))
    print(f"  {counted(len(ids), 'id')} written to {file.name}")


def _write_repeats(repeats: Sequence[Repeat], ids: Sequence[str], file: Path) -> None:
    rows = [
        (number, repeat.kind, ids[image])
        for number, repeat in enumerate(repeats, 1)
        for image in repeat.images
    ]
    _write(_REPEATS, file, ("group", "kind", "image_id"), rows)
    written = counted(len(rows), "id")
    print(f"  {written} of repeated images written to {file.name}")


def _write(
    option: str, file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Write a table; `ConfigError` where the disk is full, or has gone meanwhile."""
    from ...core.errors import ConfigError

    try:
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConfigError(
            f"Expected a file that can be written, got {option}={file.name!r}:"
            f" {reason_of(error)}. Choose another place."
        ) from error


class _InspectCommand(CommandInPytest):
    def __init__(self, parsed: argparse.Namespace) -> None:
        self._parsed = parsed

    def work(self, config: pytest.Config) -> int:
        from ..selected_datasets import named_dataset
        from ..selected_models import named_model
        from ..session import session_of

        check_tests(self._parsed.tests)
        check_single("dataset", self._parsed.dataset)
        session = session_of(config)
        file = session.settings.config_file
        tables = () if file is None else file.datasets
        model_tables = () if file is None else file.models

        # Not the session's selection: a mistake in another table would stop it.
        def open_named(text: str) -> RetrievalDataset:
            return named_dataset(text, tables, session.catalogues.datasets).load()

        def open_model(text: str) -> DualEncoder:
            selected = named_model(
                text,
                model_tables,
                session.catalogues,
                cache_dir=session.settings.cache_dir,
            )
            return session.loader.load(selected)

        return _show(self._parsed, open_named, open_model)


def _run_in_pytest(parsed: argparse.Namespace) -> int:
    arguments = [parsed.tests]
    if parsed.config is not None:
        arguments.append(f"--robust-config={parsed.config}")
    return _InspectCommand(parsed).run(arguments)
