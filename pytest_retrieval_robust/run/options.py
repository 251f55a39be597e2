"""The options: one table, from which the command line and the ini values are made.

What is typed for them is parsed in `settings`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pytest

GROUP = "retrieval-robust"
CACHE_LIMIT = "20GB"


@dataclass(frozen=True)
class OptionSpec:
    """One option: its flag, its ini twin (the same word with underscores) and its help."""

    flag: str
    meaning: str
    metavar: str | None = "LIST"
    """None for a switch."""
    alias: str | None = None
    repeatable: bool = False
    typed_alone: bool = False
    """No ini twin: a setting that is easily forgotten must neither take the verdict away
    nor show texts, and what `robust.toml` says is not said twice.
    """

    @property
    def dest(self) -> str:
        return self.flag.lstrip("-").replace("-", "_")

    @property
    def is_switch(self) -> bool:
        return self.metavar is None

    def add_to(self, group: pytest.OptionGroup, flag: str | None = None) -> None:
        """Add the option to a group, under another `flag` if one is given."""
        # The default None tells an option that was not typed from any value of its own.
        if self.is_switch:
            group.addoption(
                flag or self.flag,
                dest=self.dest,
                action="store_true",
                default=None,
                help=self.meaning,
            )
            return
        action = "append" if self.repeatable else "store"
        group.addoption(
            flag or self.flag,
            dest=self.dest,
            metavar=self.metavar,
            action=action,
            default=None,
            help=self.meaning,
        )

    def add_ini(self, parser: pytest.Parser) -> None:
        """Add the ini value of the same name."""
        if self.typed_alone:
            return
        kind: Literal["bool", "linelist", "string"] = "string"
        if self.is_switch:
            kind = "bool"
        elif self.repeatable:
            kind = "linelist"
        parser.addini(self.dest, self.meaning, type=kind, default=None)


OPTIONS = (
    OptionSpec(
        "--robust-models",
        "models: names, globs, all, or locators hf:ORG/NAME[@REV], open_clip:ARCH/TAG,"
        " local-dir:PATH (default: those of robust.toml, else the embedded ones)",
        alias="--models",
    ),
    OptionSpec(
        "--robust-datasets",
        "data sets: names, globs, or with parameters: synthetic-cxr(prevalence=0.65)"
        " (default: synthetic-cxr)",
        alias="--datasets",
    ),
    OptionSpec(
        "--robust-occluders",
        "occluders: names, globs, all, or with parameters: patches(grid=14,fill=mean);"
        " none leaves occlusions out (default: patches)",
        alias="--occluders",
    ),
    OptionSpec(
        "--robust-levels",
        "fractions of the image area to hide; 0 is always measured (default:"
        " 0,0.1,0.2,0.3,0.4,0.5)",
        alias="--levels",
    ),
    OptionSpec(
        "--robust-corruptions",
        "corruptions of images to measure beside the occluders: names, globs, all, or with"
        " parameters (default: none)",
        alias="--corruptions",
    ),
    OptionSpec(
        "--robust-text-noise",
        "noise of reports to measure beside the occluders: names, globs, all, or with"
        " parameters (default: none)",
        alias="--text-noise",
    ),
    OptionSpec(
        "--robust-severities",
        "severities of corruptions and text noise, from 0 to 1; 0 is always measured"
        " (default: 0,0.2,0.4,0.6,0.8,1)",
    ),
    OptionSpec(
        "--robust-seeds",
        "seeds; each seed gives one mask layout, and one randomness of corruptions and"
        " text noise (default: 0)",
    ),
    OptionSpec("--robust-k", "values of k for Recall@k (default: 1,5,10)"),
    OptionSpec(
        "--robust-metrics",
        "registered metrics to compute beside Recall@k: names, or with parameters:"
        " recall(k=3); those that gates name are always computed (default: none)",
    ),
    OptionSpec(
        "--robust-config",
        "robust.toml with the gates and models (default: the nearest one)",
        "FILE",
    ),
    OptionSpec(
        "--robust-device", "auto, cpu, cuda, cuda:1 or mps (default: auto)", "NAME"
    ),
    OptionSpec(
        "--robust-precision",
        "precision of the encoders: fp32, bf16 or fp16 (default: fp32)",
        "P",
    ),
    OptionSpec(
        "--robust-decode",
        "where JPEGs are decoded: host (Pillow), or device (torchvision, with nvJPEG on"
        " CUDA), whose pixels differ by rounding (default: host)",
        "PLACE",
    ),
    OptionSpec(
        "--robust-engine",
        "what encodes: local (this process), stored (nothing: all embeddings must be in the"
        " store), or ray: actors of Ray, on this machine or on a cluster (default: local)",
        "ENGINE",
    ),
    OptionSpec(
        "--robust-device-kinds",
        "with stored or ray: kinds of device that embeddings may come from, by name, mixed"
        " if there are several, or any (default: the only one that is there)",
        "LIST",
    ),
    OptionSpec(
        "--robust-ray-address",
        "HOST:PORT of a Ray cluster that runs already, or auto (default: one is started on"
        " this machine)",
        "ADDRESS",
    ),
    OptionSpec(
        "--robust-ray-actors",
        "actors of Ray (default: one per GPU, else one per four cores)",
        "N",
    ),
    OptionSpec("--robust-batch-size", "images per batch (default: auto)", "N"),
    OptionSpec(
        "--robust-limit",
        "use only the first N pairs of each data set; the results say so",
        "N",
    ),
    OptionSpec(
        "--robust-timeout",
        "seconds for loading a model, and for each of its sweeps and searches, after which"
        " it has failed and the run goes on (default: `timeout` of robust.toml, else no"
        " limit)",
        "SECONDS",
        typed_alone=True,
    ),
    OptionSpec(
        "--robust-download",
        "let `all` and globs download missing weights; a model given by name always may",
        None,
    ),
    OptionSpec(
        "--robust-cache-dir",
        "cache folder for embeddings and for weights that are plain files (default: the"
        " platform's cache)",
        "DIR",
    ),
    OptionSpec(
        "--robust-no-cache", "neither read nor write embeddings in the cache", None
    ),
    OptionSpec(
        "--robust-cache-limit",
        f"maximum size of the cached embeddings, e.g. 500MB (default: {CACHE_LIMIT})",
        "SIZE",
    ),
    OptionSpec(
        "--robust-search-images",
        "images to search for the smallest breaking occlusion (default: 100, for models"
        " with a gate on it)",
        "N",
    ),
    OptionSpec(
        "--robust-search-grid",
        "cells along each side in that search (default: 16)",
        "N",
    ),
    OptionSpec(
        "--robust-counterfactuals",
        "compare the images of every cell with edited reports: one finding denied, left and"
        " right swapped, and so on (default: only where a gate asks)",
        None,
    ),
    OptionSpec("--robust-results", "save the run: run.json and ranks.npz", "DIR"),
    OptionSpec(
        "--robust-overwrite",
        "let the results replace a run that measured more (default: save beside it)",
        None,
    ),
    OptionSpec(
        "--robust-baseline",
        "compare with a run that --robust-results saved",
        "DIR",
    ),
    OptionSpec(
        "--robust-reference",
        "compare with a second saved run too, which stays while baselines come and go",
        "DIR",
    ),
    OptionSpec(
        "--robust-attempts",
        "the ledger that counts full runs against one baseline or reference (default:"
        " attempts.jsonl beside the folder of --robust-results)",
        "FILE",
    ),
    OptionSpec(
        "--robust-report",
        "write a report: .html, .md or .json by suffix; repeatable",
        "FILE",
        repeatable=True,
    ),
    OptionSpec(
        "--robust-show-samples",
        "show some images and report texts in the HTML report; they may be patient data"
        " (default: off)",
        None,
    ),
    OptionSpec(
        "--robust-full-tracebacks",
        "print whole tracebacks where code of your own fails, with source lines and texts:"
        " these may quote reports and patients' names. They stay out of JUnit XML and"
        " other reports (default: files, lines and functions of your own code)",
        None,
        typed_alone=True,
    ),
    OptionSpec(
        "--robust-measure-only",
        "measure without a verdict, for exploring: no gate is judged, and the last line"
        " says MEASURED ONLY",
        None,
        typed_alone=True,
    ),
    OptionSpec(
        "--robust-replay",
        "judge a saved run again with this policy and baseline; nothing is measured",
        "DIR",
        typed_alone=True,
    ),
)
PASSED_ON = ("config", "device", "precision", "cache-dir")
"""Options, without their prefix, that the command `rank` takes too.

They say which model this is, and where it runs.
"""
BY_FLAG = {option.flag: option for option in OPTIONS}


def add_options(parser: pytest.Parser) -> None:
    """Add every option and ini value of this plugin."""
    group = parser.getgroup(
        GROUP, "retrieval under occlusion, corruption and text noise"
    )
    for option in OPTIONS:
        option.add_to(group)
        option.add_ini(parser)


def add_short_aliases(parser: pytest.Parser) -> None:
    """Add `--models`, `--occluders`, `--corruptions` and the like, for a top-level conftest.

    An alias that another plugin has taken is left to it.
    """
    from argparse import ArgumentError

    group = parser.getgroup(GROUP)
    taken = _names_of_options(parser)
    for option in OPTIONS:
        if option.alias is not None and option.alias not in taken:
            with suppress(ValueError, ArgumentError):
                option.add_to(group, option.alias)


def _names_of_options(parser: pytest.Parser) -> set[str]:
    """The names that have been added, where pytest itself looks for conflicts later.

    Before pytest 9 argparse hears of options when arguments are parsed, which is too late
    to leave one out.
    """
    groups = [*parser._groups, parser._anonymous]
    options = (option for group in groups for option in getattr(group, "options", ()))
    return {name for option in options for name in option.names()}


def any_on_command_line(config: pytest.Config) -> bool:
    """Whether any of our options was typed."""
    return any(config.getoption(option.dest) is not None for option in OPTIONS)


def is_replay(config: pytest.Config) -> bool:
    """Whether a saved run is to be judged again.

    The ini value does not count: it would keep every test from running.
    """
    return bool(config.getoption(BY_FLAG["--robust-replay"].dest, None))


_EMPTY_IS_NONE = ("--robust-corruptions", "--robust-text-noise", "--robust-metrics")
"""Lists that are empty by default: an empty one takes back what an ini file lists."""


def typed_empty(config: pytest.Config) -> str | None:
    """The first option that was typed with an empty value."""
    for flag, option in BY_FLAG.items():
        typed = config.getoption(option.dest, None)
        values = typed if option.repeatable and typed else [typed]
        if "" in values and flag not in _EMPTY_IS_NONE:
            return flag
    return None


def is_measure_only(config: pytest.Config) -> bool:
    """Whether the run measures without a verdict."""
    return bool(config.getoption(BY_FLAG["--robust-measure-only"].dest, None))


def shows_whole_tracebacks(config: pytest.Config) -> bool:
    """Whether tracebacks are shown with texts, which may be patients'."""
    return bool(config.getoption(BY_FLAG["--robust-full-tracebacks"].dest, None))


def names_config(config: pytest.Config) -> bool:
    """Whether the command line or the ini file names a `robust.toml`."""
    dest = BY_FLAG["--robust-config"].dest
    typed = config.getoption(dest)
    chosen = config.getini(dest) if typed is None else typed
    return chosen not in (None, "")
