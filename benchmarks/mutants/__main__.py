"""Mutate the code that decides, and count what the tests notice.

`make mutants` tries a seeded sample of each area. A result stays until its function
changes: another call tries more of them, and `--again` those that survived.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path

# Before numpy and torch: a process that is to be forked must have no threads.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

ROUND = 20
"""Mutants of one area that are tried before those of the next."""
TOOLS = Path(__file__).parents[2] / ".mutants"
# Last, so that the tests run with the libraries that they always have.
sys.path.append(str(TOOLS))

from mutmut.__main__ import create_mutants  # noqa: E402
from mutmut.mutation.data import SourceFileMutationData  # noqa: E402
from mutmut.stats import status_by_exit_code  # noqa: E402
from mutmut.utils.file_utils import (  # noqa: E402
    copy_also_copy_files,
    copy_src_dir,
    walk_mutatable_files,
)
from mutmut.workers.isolation import run_in_fork  # noqa: E402

from ..pages import write_into  # noqa: E402
from .areas import AREAS, TESTS, area_of  # noqa: E402
from .mutations import mutate_as_here  # noqa: E402
from .results import nothing_left, rows_of, survivors, table  # noqa: E402
from .running import AreaTests, import_tests  # noqa: E402


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mutants", description=__doc__
    )
    parser.add_argument(
        "--area", action="append", choices=list(AREAS), help="all if left out"
    )
    parser.add_argument(
        "--sample", type=int, default=60, help="mutants per area; 0 for all of them"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--most-seconds",
        type=float,
        default=math.inf,
        help="processor time of the tests of a mutant, the quickest first",
    )
    parser.add_argument(
        "--again", action="store_true", help="try those that survived once more"
    )
    parser.add_argument(
        "--only-show", action="store_true", help="what earlier calls have found"
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="put the table between the two marks of a page",
    )
    parser.add_argument("--least", type=float, metavar="SHARE", help="fail below it")
    parsed = parser.parse_args(arguments)
    areas = parsed.area or list(AREAS)
    if not parsed.only_show:
        make_mutants()
        names_of = {
            area: chosen(area, parsed.sample, parsed.seed, again=parsed.again)
            for area in areas
        }
        if not any(names_of.values()):
            print(nothing_left(areas))
        # The tests are imported in a process of their own: this one stays small.
        elif run_in_fork(lambda: try_all(names_of, parsed.most_seconds)):
            return 1
    of_areas = {
        name: word for name, word in statuses().items() if area_of(name) in areas
    }
    rows = rows_of(of_areas)
    survived = [f"survived: {name}" for name in survivors(of_areas)]
    print("\n".join([table(rows), *survived]))
    if parsed.write is not None:
        write_into(parsed.write, table(rows))
    share = sum(row.killed for row in rows) / max(1, sum(row.tried for row in rows))
    return int(parsed.least is not None and share < parsed.least)


def make_mutants() -> None:
    """Make the folder `mutants`: the package with all its mutants, and what tests need."""
    mutate_as_here()
    Path("mutants").mkdir(exist_ok=True)
    with open(os.devnull, "w") as quiet, redirect_stdout(quiet):
        copy_src_dir()
        copy_also_copy_files()
        create_mutants(1)


def files_of_mutants() -> list[SourceFileMutationData]:
    files = [SourceFileMutationData(path=path) for path in walk_mutatable_files()]
    for file in files:
        file.load()
    return files


def statuses() -> dict[str, str | None]:
    """mutmut's word for how the tests ended with each mutant; None for one not tried."""
    words: dict[str, str | None] = {}
    for file in files_of_mutants():
        for name, code in file.exit_code_by_key.items():
            words[name] = None if code is None else status_by_exit_code[code]
    return words


def chosen(area: str, sample: int, seed: int, *, again: bool) -> list[str]:
    """The names of mutants to try now. A larger sample has the smaller one in it."""
    words = {name: word for name, word in statuses().items() if area_of(name) == area}
    if again:
        return survivors(words)
    names = sorted(words)
    random.Random(f"{seed} {area}").shuffle(names)
    if sample:
        names = names[:sample]
    return [name for name in names if words[name] is None]


def try_all(names_of: Mapping[str, Sequence[str]], most_seconds: float) -> int:
    """Try mutants one by one, and save each result at once.

    In rounds, so that a run that is cut short has tried some of every area.
    """
    remaining = {area: list(names) for area, names in names_of.items() if names}
    import_tests([file for area in remaining for file in TESTS[area]])
    tests_of = {area: AreaTests(TESTS[area]) for area in remaining}
    files = {
        name: file for file in files_of_mutants() for name in file.exit_code_by_key
    }
    while remaining:
        for area, names in list(remaining.items()):
            for name in names[:ROUND]:
                code = tests_of[area].exit_code_on(name, most_seconds)
                files[name].exit_code_by_key[name] = code
                files[name].save()
                print(f"{area}: {status_by_exit_code[code]}: {name}", flush=True)
            remaining[area] = names[ROUND:]
        remaining = {area: names for area, names in remaining.items() if names}
    return 0


if __name__ == "__main__":
    sys.exit(main())
