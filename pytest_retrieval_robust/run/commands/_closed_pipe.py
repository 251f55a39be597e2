"""Ends a command quietly whose reader has gone: `... | head -3`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

CLOSED_PIPE = 141
"""The exit status that shells report for a program that SIGPIPE ended."""


def ended_quietly(command: Callable[[], int]) -> int:
    """The exit status of a command, all of whose output has been taken; or `CLOSED_PIPE`.

    A pipe of another process that breaks is no reason to be quiet: it raises
    `BrokenPipeError`.
    """
    try:
        try:
            status = command()
        except SystemExit:
            # `--help` ends so, once it has been printed.
            _flush()
            raise
        _flush()
    except BrokenPipeError:
        if not _is_closed():
            raise
        _print_to_nothing()
        return CLOSED_PIPE
    return status


def _flush() -> None:
    print(end="", flush=True)


def _is_closed() -> bool:
    """Whether standard output still cannot take what is left to print."""
    try:
        # What is left may be nothing: a line shows it.
        print(flush=True)
    except BrokenPipeError:
        return True
    return False


def _print_to_nothing() -> None:
    """Python flushes standard output once more when it ends, and would complain."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
