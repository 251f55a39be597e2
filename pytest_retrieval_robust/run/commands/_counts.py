"""Numbers that are typed for a command."""

from __future__ import annotations

import argparse


def count(text: str) -> int:
    """A whole number from 1.

    Raises:
        argparse.ArgumentTypeError: A number below 1.
        ValueError: No whole number; argparse says what was typed for which option.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"Expected 1 or more, got {text}.")
    return number
