"""The table: each line is one run, and what it has otherwise than the reference run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from .runs import ROOT, Change, Store, Suite


@dataclass(frozen=True)
class Cell:
    """A line of the table."""

    name: str
    """For `--only`."""
    what: str
    """What is otherwise, in words."""
    change: Change
    is_promised: bool = True
    """Whether the bytes must be those of the reference run. Elsewhere it is measured how
    far they are apart."""


# Whatever a program may take from its surroundings: also the number's comma, and the
# letters that tolower and toupper of C know.
_CONFTEST = """\
import locale

locale.setlocale(locale.LC_ALL, "")
"""
_TESTS = """\
def test_recall(outcome, clean_outcome, gate):
    assert gate.violations(outcome, clean_outcome) == []


def test_breaking(breaking, gate):
    assert gate.breaking_violations(breaking) == []
"""
_POLICY = """\
[[gate]]
model = "tiny-cxr-clip"
level = 0.0
recall = { 10 = 0.3 }

[[gate]]
model = "tiny-cxr-clip"
breaking_share = { k = 1, quantile = 0.5, min = 0.001, images = 4, grid = 4 }
"""
SMALL = Suite(
    {"conftest.py": _CONFTEST, "test_gate.py": _TESTS, "robust.toml": _POLICY},
    (
        "--robust-models=tiny-cxr-clip,tiny-cxr-openclip",
        "--robust-limit=60",
        "--robust-levels=0.1,0.3",
        "--robust-occluders=patches,pacemaker",
        "--robust-corruptions=quantum-noise,jpeg",
        "--robust-text-noise=typos",
        "--robust-severities=0.4",
        "--robust-counterfactuals",
    ),
)
"""All that draws at random or searches, of two libraries' models, on a few queries."""


_THREE_LINES = """\
def test_recall_under_occlusion(outcome, clean_outcome, gate):
    assert gate.violations(outcome, clean_outcome) == []
"""
_TEN_LINES = """\
[[gate]]
model = "tiny-cxr-clip*"
level = 0.0
recall = { 10 = 0.97 }

[[gate]]
model = "tiny-cxr-clip-robust"
level = 0.3
recall = { 10 = 0.82 }
retention = { 10 = 0.80 }
"""
OF_README = Suite(
    {"test_gate.py": _THREE_LINES, "robust.toml": _TEN_LINES},
    ("--robust-models=tiny-cxr-clip*",),
)
"""README's run: the default data, 500 queries, and the default levels."""


def _files_of(folder: Path) -> dict[str, str]:
    files = (path for path in folder.iterdir() if path.is_file())
    return {path.name: path.read_text(encoding="utf-8") for path in files}


OF_THE_GATE = Suite(_files_of(ROOT / "suites"), ("--robust-models=all",))
"""`make gate`: the suite that is shipped, on every embedded encoder."""


def _environment(**variables: str) -> Change:
    return Change(environment=variables)


def _locale(name: str) -> Change:
    return Change(environment={"LC_ALL": name, "LANG": name}, locale=name)


_REVERSED = ("-p", "benchmarks.determinism.reversed_order")
_TWO_WORKERS = ("-p", "xdist", "-n", "2")
_PLAIN_C = {
    "LC_ALL": "C",
    "LANG": "C",
    # Else Python takes UTF-8 in this locale.
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
}
_HOME = {
    "HOME": "{scratch}/home",
    "XDG_CACHE_HOME": "{scratch}/home/cache",
    "XDG_CONFIG_HOME": "{scratch}/home/config",
    "HF_HOME": "{scratch}/home/hub",
    "TMPDIR": "{scratch}",
    "USER": "somebody",
    "LOGNAME": "somebody",
}
_OTHER_FOLDER = "Größe 放射, a folder"

CELLS = (
    Cell("repeat", "nothing: once more, with an empty store", Change()),
    Cell("warm", "the store that the first run filled", Change(store=Store.FILLED)),
    Cell("no-store", "`--robust-no-cache`", Change(("--robust-no-cache",))),
    Cell("killed", "SIGKILL in the sweep, then once more", Change(store=Store.KILLED)),
    Cell("xdist", "pytest-xdist, `-n 2`", Change(_TWO_WORKERS)),
    Cell(
        "xdist-each",
        "`-n 2 --dist=loadfile`",
        Change((*_TWO_WORKERS, "--dist=loadfile")),
    ),
    Cell(
        "xdist-killed",
        "`-n 2`, SIGKILL of all in the sweep, then once more",
        Change(_TWO_WORKERS, store=Store.KILLED),
    ),
    Cell("reversed", "the tests in the reverse order", Change(_REVERSED)),
    Cell("hash-0", "`PYTHONHASHSEED=0`", _environment(PYTHONHASHSEED="0")),
    Cell("hash-1", "`PYTHONHASHSEED=1`", _environment(PYTHONHASHSEED="1")),
    Cell(
        "hash-most",
        "`PYTHONHASHSEED=4294967295`",
        _environment(PYTHONHASHSEED="4294967295"),
    ),
    Cell("optimised", "`PYTHONOPTIMIZE=1`", _environment(PYTHONOPTIMIZE="1")),
    Cell("turkish", "the locale tr_TR.UTF-8", _locale("tr_TR.UTF-8")),
    Cell("german", "the locale de_DE.UTF-8", _locale("de_DE.UTF-8")),
    Cell("latin-1", "the locale de_DE.ISO-8859-1", _locale("de_DE.ISO-8859-1")),
    Cell("c", "`LC_ALL=C` without UTF-8", Change(environment=_PLAIN_C)),
    Cell("auckland", "`TZ=Pacific/Auckland`", _environment(TZ="Pacific/Auckland")),
    Cell("umask", "`umask 077`", Change(umask=0o077)),
    Cell("folder", f"a folder named `{_OTHER_FOLDER}`", Change(project=_OTHER_FOLDER)),
    Cell(
        "elsewhere",
        "started in another folder, `--rootdir` there",
        Change(("--rootdir=.",), is_started_elsewhere=True),
    ),
    Cell("home", "another home, cache and temporary folder", Change(environment=_HOME)),
    Cell(
        "all",
        "hash seed, locale, time zone, order, umask, folder, home, workers at once",
        Change(
            (*_TWO_WORKERS, *_REVERSED),
            {
                **_HOME,
                "PYTHONHASHSEED": "7",
                "TZ": "Asia/Kolkata",
                "LC_ALL": "tr_TR.UTF-8",
            },
            umask=0o077,
            project=_OTHER_FOLDER,
            locale="tr_TR.UTF-8",
        ),
    ),
    Cell(
        "batch-7",
        "`--robust-batch-size=7`",
        Change(("--robust-batch-size=7",)),
        is_promised=False,
    ),
    Cell(
        "batch-1",
        "`--robust-batch-size=1`",
        Change(("--robust-batch-size=1",)),
        is_promised=False,
    ),
    Cell(
        "threads-2",
        "`OMP_NUM_THREADS=2`",
        _environment(OMP_NUM_THREADS="2"),
        is_promised=False,
    ),
    Cell(
        "bf16",
        "`--robust-precision=bf16`",
        Change(("--robust-precision=bf16",)),
        is_promised=False,
    ),
    Cell(
        "fp16",
        "`--robust-precision=fp16`",
        Change(("--robust-precision=fp16",)),
        is_promised=False,
    ),
)


@dataclass(frozen=True)
class Table:
    """One suite, run once for each of its lines and once for the reference."""

    mark: str
    """What the page calls the place of the table."""
    suite: Suite
    names: tuple[str, ...]
    """The cells that are measured if `--only` names none."""

    def cells(self, only: Collection[str] | None = None) -> tuple[Cell, ...]:
        chosen = only or self.names
        return tuple(cell for cell in CELLS if cell.name in chosen)


TABLE = Table("table", SMALL, tuple(cell.name for cell in CELLS))
TABLE_OF_README = Table(
    "table of README's run", OF_README, ("killed", "xdist", "batch-7", "threads-2")
)
"""What has no promise on more queries too, beside what a user's run meets most."""
TABLE_OF_THE_GATE = Table(
    "table of the gate", OF_THE_GATE, ("repeat", "warm", "killed", "xdist")
)


def cell_of_python(python: Path, what: str) -> Cell:
    """A run by another Python, with the libraries that it has."""
    return Cell(str(python), what, Change(python=python), is_promised=False)
