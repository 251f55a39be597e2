"""How options may be given: which must be typed, and with a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import ConfigError
from .options import typed_empty

if TYPE_CHECKING:
    import pytest

_VERDICT_TAKEN_AWAY = ("--robust-measure-only", "--robust-replay")


def check_typed_alone(config: pytest.Config) -> None:
    """Raise `ConfigError` where `addopts` of an ini file holds such an option.

    They have no ini value either, but `addopts` would go round that.
    """
    for argument in config.getini("addopts"):
        flag = str(argument).partition("=")[0]
        if flag in _VERDICT_TAKEN_AWAY:
            raise ConfigError(
                f"Expected {flag} on the command line alone, got it in addopts of an ini"
                " file, where a project would lose its verdict without anybody noticing."
                " Take it out of addopts, and type it where you want it."
            )


def check_no_value_is_lost(config: pytest.Config) -> None:
    """Raise `ConfigError` for `--robust-baseline=$UNSET`, which the shell leaves empty.

    Without that baseline its gates would be skipped, and the run could pass.
    """
    empty = typed_empty(config)
    if empty is not None:
        raise ConfigError(
            f"Expected a value after {empty}, got {empty}=''. Give one, or leave the"
            " option out. A variable of the shell that is not set leaves nothing."
        )
