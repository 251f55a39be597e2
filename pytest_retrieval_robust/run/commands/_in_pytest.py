"""Runs a command within a pytest that collects nothing.

So the models and data sets of a conftest are known, and ini files and `robust.toml` count.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import pytest

from ._errors import USAGE_ERROR, report_error, text_of


class CommandInPytest(ABC):
    """Takes the place of pytest's own work once its options and conftests are read."""

    error: str | None = None
    """What is wrong; printed after pytest, which may capture output until its end."""
    advice: str = ""
    """What may make a name known that is unknown."""

    @abstractmethod
    def work(self, config: pytest.Config) -> int:
        """Do the work of the command; returns the exit status."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        from ...core.errors import RobustError, UnknownNameError

        try:
            return self.work(config)
        except UnknownNameError as error:
            self.error = f"{text_of(error)} {self.advice}".rstrip()
            return USAGE_ERROR
        except RobustError as error:
            self.error = text_of(error)
            return USAGE_ERROR

    def run(self, arguments: Sequence[str]) -> int:
        """Start pytest with `arguments`; returns the exit status."""
        plugin = ["-p", "retrieval_robust"]
        code = int(pytest.main([*plugin, *arguments], plugins=[self]))
        if self.error is not None:
            report_error(self.error)
        return code


TESTS_ADVICE = (
    "What a conftest registers, or a robust.toml has a table of, is known with --tests"
    " PATH."
)


def check_tests(tests: str | None) -> None:
    """Raise `ConfigError` where `--tests` is not there: pytest would go on without it."""
    from ...core.errors import ConfigError

    if tests is None or Path(tests.partition("::")[0]).exists():
        return
    raise ConfigError(
        f"Expected the file or folder of a suite, got --tests={Path(tests).name!r}: no"
        " such file or folder. Fix the path, or leave --tests out to take this folder."
    )


def check_single(kind: str, text: str) -> None:
    """Raise `ConfigError` for what may name several models, data sets or occluders."""
    from ...core.catalogue import is_glob
    from ...core.errors import ConfigError
    from ...core.names import split_list

    name = text.partition("(")[0]
    if text == "all" or is_glob(name) or len(split_list(kind, text)) != 1:
        raise ConfigError(
            f"Expected one {kind}, got {kind}={text!r}. Give the name of a single one."
        )
