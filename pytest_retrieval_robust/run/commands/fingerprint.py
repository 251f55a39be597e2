"""`fingerprint MODEL`: writes what a model makes of fixed inputs, for the gate `drift`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ...core.shown_values import shown_place
from ...core.words import counted, shown_size
from ..options import PASSED_ON
from ._errors import Commands, reason_of
from ._in_pytest import TESTS_ADVICE, CommandInPytest, check_single, check_tests
from ._inspected import suite_of

if TYPE_CHECKING:
    from ...measure.drift.fingerprint import Fingerprint


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "fingerprint",
        help="write what a model makes of fixed pictures and sentences, for gates on drift",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="one name or locator, as after --robust-models"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write it there (default: where the model's gate looks for it)",
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
    # The command line of a run, so that models mean the same as there.
    options = [f"--robust-models={parsed.model}"]
    for option in PASSED_ON:
        text = getattr(parsed, option.replace("-", "_"))
        if text is not None:
            options.append(f"--robust-{option}={text}")
    suite = suite_of(parsed, parsed.model)
    return _FingerprintCommand(parsed).run([*suite, *options])


class _FingerprintCommand(CommandInPytest):
    def __init__(self, parsed: argparse.Namespace) -> None:
        self._parsed = parsed
        if parsed.tests is None:
            self.advice = TESTS_ADVICE

    def work(self, config: pytest.Config) -> int:
        from ...core.errors import ConfigError
        from ...measure.drift.saved import write_fingerprint
        from ...measure.drift.taking import fingerprint_of
        from ..outputs import check_written
        from ..session import session_of

        check_tests(self._parsed.tests)
        check_single("model", self._parsed.model)
        session = session_of(config)
        # A model that robust.toml requires is selected too, after the one that was typed.
        model = next(iter(session.selection.models))
        file: Path = self._parsed.out or session.fingerprints.file_of(model)
        if self._parsed.out is not None:
            check_written("--out", file)
        fingerprint = fingerprint_of(session.loader.model(model))
        try:
            write_fingerprint(fingerprint, file)
        except OSError as error:
            raise ConfigError(
                f"Expected a file that can be written, got --out={file.name!r}:"
                f" {reason_of(error)}. Choose another place."
            ) from error
        for line in fingerprint_lines(fingerprint, file):
            print(line)
        return 0


def fingerprint_lines(fingerprint: Fingerprint, file: Path) -> Iterator[str]:
    """What was written, which parts are not known, and what to do with it."""
    inputs = len(fingerprint.marks)
    yield (
        f"{fingerprint.model}: {counted(inputs, 'row')} of fixed pictures and sentences"
        f" written to {shown_place(file)} ({shown_size(file.stat().st_size)})"
    )
    refused = [mark.name for mark in fingerprint.marks if mark.row is None]
    if refused:
        yield f"  refused by the model: {', '.join(refused)}"
    unknown = []
    if all(mark.token_ids_sha256 is None for mark in fingerprint.sentences):
        unknown.append("token ids")
    if not fingerprint.weights.whole and fingerprint.weights.checkpoint_sha256 is None:
        unknown.append("weights")
    if unknown:
        yield f"  not known, so that a drift cannot be traced to them: {', '.join(unknown)}"
    yield "next: commit it, and gate it in robust.toml:"
    yield f'  [[gate]]\n  model = "{fingerprint.model}"\n  drift = {{ max = 1e-3 }}'
