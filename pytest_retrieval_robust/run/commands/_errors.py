"""How a command reports what is wrong with what was typed."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ...core.errors import RobustError

USAGE_ERROR = 2
"""The exit status for what was typed, or what it names, being wrong."""
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What a command adds its parser to."""


def text_of(error: RobustError) -> str:
    """The error's sentence, and below it where the user's own code failed."""
    return f"{type(error).__name__}: {error.shown}"


def report_error(sentence: str) -> int:
    """Print a sentence where errors go; returns the exit status of a usage error."""
    print(sentence, file=sys.stderr)
    return USAGE_ERROR


def reason_of(error: OSError) -> str:
    """Why the system refused; the error's own text would name whole paths."""
    return error.strerror or type(error).__name__
