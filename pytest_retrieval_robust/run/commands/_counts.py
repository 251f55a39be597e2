"""Numbers that are typed for a command."""

from __future__ import annotations

import argparse


def count(text: str) -> int:
    """A whole number from 1.

    Raises:
        argparse.ArgumentTypeError: Anything else.
    """
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(
            f"Expected a whole number from 1, got {text!r}."
        )
    return number
