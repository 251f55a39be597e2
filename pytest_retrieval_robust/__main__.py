"""`retrieval-robust COMMAND`, or `python -m pytest_retrieval_robust COMMAND`.

`init DIR` copies a ready suite, `inspect NAME` shows what a data set holds, `rank MODEL
NAME` shows what hiding does to the ranks of single images, `compare A B` sets two runs
side by side, `store` shows and prunes the embeddings that are kept from run to run. Of
a saved run `card RUN` prints a model's card, `table RUN` a CSV, and `plot RUN` draws
curves.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import __version__
from .core.cases import DIRECTIONS
from .run.options import PASSED_ON

if TYPE_CHECKING:
    from .datasets import RetrievalDataset
    from .gate.record import RunRecord

_SCRIPT = "retrieval-robust"
_SUITE_FILES = (
    "robust.toml",
    "test_recall.py",
    "test_curve.py",
    "test_timing.py",
    "test_properties.py",
    "test_breaking.py",
    "test_baseline.py",
)


def suite_folder() -> Path:
    """The suite that ships with the package: inside a wheel, or beside the package in a
    checkout.
    """
    package = Path(__file__).parent
    packaged = package / "_suite"
    return packaged if packaged.is_dir() else package.parent / "suites"


def copy_suite(target: Path) -> list[Path]:
    """Copy the suite to `target`; `FileExistsError` names a file that is there already,
    and nothing is copied.
    """
    wanted = [target / name for name in _SUITE_FILES]
    for path in wanted:
        if path.exists():
            raise FileExistsError(
                f"Expected a folder without the suite's files, got {path}. Choose"
                " another folder."
            )
    target.mkdir(parents=True, exist_ok=True)
    for path in wanted:
        shutil.copyfile(suite_folder() / path.name, path)
    return wanted


def main(arguments: Sequence[str] | None = None) -> int:
    by_script = Path(sys.argv[0]).stem == _SCRIPT
    prog = _SCRIPT if by_script else "python -m pytest_retrieval_robust"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument(
        "--version", action="version", version=f"pytest-retrieval-robust {__version__}"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    init = commands.add_parser("init", help="copy a ready suite into a folder")
    init.add_argument("folder", type=Path, metavar="DIR")
    init.set_defaults(run=_init)
    inspect = commands.add_parser(
        "inspect", help="show what a data set holds; opens no image unless asked to"
    )
    inspect.add_argument(
        "dataset",
        metavar="NAME",
        help="as after --robust-datasets: open-i(reports=FOLDER)",
    )
    inspect.add_argument(
        "--config",
        type=Path,
        help="the robust.toml with [datasets.NAME]; by default the one here",
    )
    inspect.add_argument(
        "--model", help="count the reports that this model's context cuts"
    )
    inspect.add_argument(
        "--tests", metavar="PATH", help="the suite whose conftest and robust.toml count"
    )
    inspect.add_argument(
        "--images",
        action="store_true",
        help="decode every image; exit 1: one is broken or missing",
    )
    inspect.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="with --write-ids: the first N, as --robust-limit",
    )
    inspect.add_argument(
        "--write-ids",
        type=Path,
        metavar="FILE",
        help="write the ids that would be evaluated",
    )
    inspect.set_defaults(run=_inspect)
    compare = commands.add_parser(
        "compare",
        help="two saved runs, the baseline first; exit 1: a loss, 2: other data",
    )
    compare.add_argument(
        "baseline", type=Path, metavar="A", help="the folder of the baseline's run"
    )
    compare.add_argument(
        "candidate", type=Path, metavar="B", help="the folder of the candidate's run"
    )
    compare.add_argument(
        "--policy", type=Path, metavar="FILE", help="a robust.toml whose gates decide"
    )
    compare.add_argument(
        "-v", "--verbose", action="store_true", help="show every cell, direction and k"
    )
    compare.set_defaults(run=_compare)
    _add_store(
        commands.add_parser(
            "store", help="the embeddings that are kept: list, size, prune, verify"
        )
    )
    _add_rank(
        commands.add_parser(
            "rank",
            help="show the ranks of a data set's first images, before and after hiding",
        )
    )
    _add_of_a_run(commands)
    parsed = parser.parse_args(arguments)
    return int(parsed.run(parsed))


def _add_store(store: argparse.ArgumentParser) -> None:
    from .run.commands.store import ACTIONS

    store.add_argument("action", nargs="?", default="list", choices=ACTIONS)
    store.add_argument(
        "--cache-dir", type=Path, metavar="DIR", help="as --robust-cache-dir"
    )
    store.add_argument(
        "--limit",
        metavar="SIZE",
        help="what prune leaves at most, as 500MB, 20GB or 0B (default: 20GB)",
    )
    store.set_defaults(run=_store)


def _add_rank(rank: argparse.ArgumentParser) -> None:
    rank.add_argument(
        "model", metavar="MODEL", help="one name or locator, as after --robust-models"
    )
    rank.add_argument(
        "dataset", metavar="NAME", help="one data set, as after --robust-datasets"
    )
    rank.add_argument(
        "--occluder",
        default="patches",
        help="one occluder, as after --robust-occluders",
    )
    rank.add_argument(
        "--level",
        type=float,
        required=True,
        help="the share of the image to hide, from 0 to 1",
    )
    rank.add_argument(
        "--seed", type=int, default=0, help="the layout of the mask (default: 0)"
    )
    rank.add_argument(
        "--images",
        type=int,
        default=50,
        metavar="N",
        help="the data set's first N (default: 50)",
    )
    rank.add_argument(
        "--image", type=int, metavar="NUMBER", help="show this one alone, from 0"
    )
    rank.add_argument(
        "--tests",
        metavar="PATH",
        help="the suite whose conftest and robust.toml count (default: here)",
    )
    for option in PASSED_ON:
        rank.add_argument(f"--{option}", help=f"as --robust-{option}")
    rank.set_defaults(run=_rank)


def _add_of_a_run(commands: Any) -> None:
    card = commands.add_parser(
        "card",
        help="a model's section and metadata for its card on the Hugging Face Hub",
    )
    card.add_argument(
        "--model",
        metavar="NAME",
        help="a model that the run tested (default: the only one)",
    )
    table = commands.add_parser(
        "table", help="Recall@k as CSV: models x levels x k, in %%"
    )
    table.add_argument(
        "--long",
        action="store_true",
        help="one row a point, with intervals and what is kept",
    )
    plot = commands.add_parser("plot", help="curves for a paper; takes the extra plots")
    plot.add_argument(
        "--direction",
        default=DIRECTIONS[0],
        choices=DIRECTIONS,
        help="(default: %(default)s)",
    )
    plot.add_argument(
        "--k",
        type=int,
        nargs="+",
        default=(),
        help="a row of panels each (default: all of the run)",
    )
    for command, run in ((card, _card), (table, _table), (plot, _plot)):
        command.add_argument(
            "folder",
            type=Path,
            metavar="RUN",
            help="the folder that --robust-results wrote",
        )
        command.set_defaults(run=run)
    for command in (card, table):
        command.add_argument(
            "--out",
            type=Path,
            metavar="FILE",
            help="write it there (default: print it)",
        )
    plot.add_argument(
        "--out", type=Path, metavar="FILE", required=True, help=".pdf, .svg, .png, ..."
    )


def _init(parsed: argparse.Namespace) -> int:
    try:
        copied = copy_suite(parsed.folder)
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"copied {', '.join(path.name for path in copied)} to {parsed.folder}")
    print(f"next: pytest {parsed.folder}")
    return 0


def _inspect(parsed: argparse.Namespace) -> int:
    from .core.errors import RobustError

    if parsed.tests is not None:
        return _inspect_of_a_suite(parsed)
    try:
        return _shown(parsed, _configured_dataset(parsed))
    except RobustError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2


def _configured_dataset(parsed: argparse.Namespace) -> RetrievalDataset:
    """The data set of that name, with what `robust.toml` says of it."""
    from .core.catalogue import Catalogues
    from .core.config_file import read_config_file
    from .core.errors import UnknownNameError
    from .run.selection import named_dataset

    file = parsed.config if parsed.config is not None else Path("robust.toml")
    config = (
        read_config_file(file) if parsed.config is not None or file.is_file() else None
    )
    tables = () if config is None else config.datasets
    try:
        selected = named_dataset(parsed.dataset, tables, Catalogues().datasets)
    except UnknownNameError as error:
        raise UnknownNameError(f"{error} {_where_else(config is not None)}") from None
    return selected.load()


def _where_else(has_config: bool) -> str:
    """Where a data set may be known that is not known here."""
    conftest = "A data set that a conftest registers is known with --tests PATH."
    if has_config:
        return conftest
    beside = sorted(Path().glob("*/robust.toml"))
    advice = f"give --config {beside[0]}" if beside else "give --config FILE"
    return (
        "No robust.toml is in this folder: for one of its [datasets.NAME] tables"
        f" {advice}. {conftest}"
    )


def _shown(parsed: argparse.Namespace, dataset: RetrievalDataset) -> int:
    """Print what the data set holds; 1 where an image cannot be read."""
    from .measure.api import load_model
    from .measure.inspection import check_images, inspect
    from .measure.pairs import pairs_of

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


def _inspect_of_a_suite(parsed: argparse.Namespace) -> int:
    """Within a pytest that collects nothing, so that a conftest's data sets are known."""
    command = _InspectCommand(parsed)
    options = [f"--robust-datasets={parsed.dataset}"]
    if parsed.config is not None:
        options.append(f"--robust-config={parsed.config}")
    code = int(
        pytest.main(
            ["-p", "retrieval_robust", parsed.tests, *options], plugins=[command]
        )
    )
    if command.error is not None:
        print(command.error, file=sys.stderr)
    return code


class _InspectCommand:
    """Takes the place of pytest's own work once its options and conftests are read."""

    def __init__(self, parsed: argparse.Namespace) -> None:
        self._parsed = parsed
        self.error: str | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        from .core.errors import RobustError
        from .run.session import session_of

        try:
            _check_single("dataset", self._parsed.dataset)
            session = session_of(config)
            return _shown(
                self._parsed, session.dataset(next(iter(session.selection.datasets)))
            )
        except RobustError as error:
            self.error = f"{type(error).__name__}: {error}"
            return 2


def _write_ids(ids: Sequence[str], file: Path) -> None:
    import csv

    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(
            [("image_id",), *((one,) for one in ids)]
        )
    print(f"  {len(ids)} ids written to {file.name}")


def _compare(parsed: argparse.Namespace) -> int:
    from .core.errors import RobustError
    from .run.commands.compare import compare

    try:
        code, lines = compare(
            parsed.baseline, parsed.candidate, parsed.policy, parsed.verbose
        )
    except RobustError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    for line in lines:
        print(line)
    return code


def _card(parsed: argparse.Namespace) -> int:
    from .reports.card import model_card

    return _of_a_run(
        parsed, lambda run: _give(model_card(run, parsed.model), parsed.out)
    )


def _table(parsed: argparse.Namespace) -> int:
    from .reports.paper_table import long_csv, paper_csv
    from .reports.series import series_of

    write = long_csv if parsed.long else paper_csv
    return _of_a_run(parsed, lambda run: _give(write(series_of(run)), parsed.out))


def _plot(parsed: argparse.Namespace) -> int:
    from .reports.figure import draw_figure
    from .reports.series import series_of

    return _of_a_run(
        parsed,
        lambda run: draw_figure(
            series_of(run), parsed.out, direction=parsed.direction, ks=parsed.k
        ),
    )


def _of_a_run(parsed: argparse.Namespace, action: Callable[[RunRecord], None]) -> int:
    """Do something with a saved run; 2 where it, or what is asked of it, is wrong."""
    from .core.errors import RobustError
    from .gate.policy import Policy
    from .gate.record import Against, judge_run
    from .reports.saved.read import load_run
    from .run.outputs import check_out

    try:
        if parsed.out is not None:
            check_out(parsed.out)
        action(judge_run(load_run(parsed.folder), Policy(), Against()))
    except RobustError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        why = error.strerror or type(error).__name__
        print(
            f"Expected a place for --out that can be written, got: {why}. Choose"
            " another one.",
            file=sys.stderr,
        )
        return 2
    return 0


def _give(text: str, out: Path | None) -> None:
    from .core.atomic_files import whole_file

    if out is None:
        sys.stdout.write(text)
        return
    with whole_file(out) as part:
        part.write_text(text, encoding="utf-8", newline="")


def _store(parsed: argparse.Namespace) -> int:
    from .core.atomic_files import cache_folder
    from .core.errors import RobustError
    from .measure.embeddings.store import FOLDER, EmbeddingStore
    from .run.commands.store import store_lines
    from .run.options import CACHE_LIMIT, parse_size

    try:
        limit = parse_size("--limit", parsed.limit or CACHE_LIMIT)
    except RobustError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    try:
        code, lines = store_lines(
            EmbeddingStore(cache_folder(parsed.cache_dir) / FOLDER, limit),
            parsed.action,
            limit,
        )
    except OSError as error:
        why = error.strerror or type(error).__name__
        print(
            f"Expected a cache folder that can be read, got: {why}. Fix --cache-dir.",
            file=sys.stderr,
        )
        return 2
    for line in lines:
        print(line)
    return code


def _rank(parsed: argparse.Namespace) -> int:
    """Within a pytest that collects nothing, so that a conftest's models are known, and
    ini files and tables count.
    """
    command = _RankCommand(parsed)
    asked = {
        "models": parsed.model,
        "datasets": parsed.dataset,
        "occluders": parsed.occluder,
    }
    asked |= {option: getattr(parsed, option.replace("-", "_")) for option in PASSED_ON}
    options = [
        f"--robust-{option}={text}"
        for option, text in asked.items()
        if text is not None
    ]
    tests = [] if parsed.tests is None else [parsed.tests]
    code = int(
        pytest.main(["-p", "retrieval_robust", *tests, *options], plugins=[command])
    )
    for line in command.lines:
        print(line)
    if command.error is not None:
        print(command.error, file=sys.stderr)
    return code


class _RankCommand:
    """Takes the place of pytest's own work once its options and conftests are read."""

    def __init__(self, parsed: argparse.Namespace) -> None:
        self._parsed = parsed
        self.lines: list[str] = []
        self.error: str | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        from .core.errors import RobustError
        from .core.foreign import FOREIGN, described, let_go

        try:
            self.lines = list(self._ranked(config))
        except RobustError as error:
            self.error = f"{type(error).__name__}: {error}"
            return 2
        except FOREIGN as error:
            self.error = (
                f"Expected the model and the data set to work, got {described(error)}."
                " Fix them."
            )
            let_go(error)
            return 2
        return 0

    def _ranked(self, config: pytest.Config) -> Iterator[str]:
        from .measure.first_ranks import FirstRanks
        from .run.commands.rank import replay_lines
        from .run.session import session_of

        parsed = self._parsed
        for kind in ("model", "dataset", "occluder"):
            _check_single(kind, getattr(parsed, kind))
        session = session_of(config)
        selection = session.selection
        # A model that robust.toml requires is selected too, behind the one that was asked for.
        model, dataset = next(iter(selection.models)), next(iter(selection.datasets))
        (occluder,) = selection.occluders.values()
        ranks = FirstRanks(
            session.model(model), session.dataset(dataset), parsed.images
        )
        return replay_lines(
            ranks, model, occluder, parsed.level, parsed.seed, parsed.image
        )


def _check_single(kind: str, text: str) -> None:
    from .core.catalogue import is_glob
    from .core.errors import ConfigError
    from .core.names import split_list

    if (
        text == "all"
        or is_glob(text.partition("(")[0])
        or len(split_list(kind, text)) != 1
    ):
        raise ConfigError(
            f"Expected one {kind}, got {kind}={text!r}. Give the name of a single one."
        )


if __name__ == "__main__":
    sys.exit(main())
