"""Locales that this machine may not have, made by `localedef` in a folder of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path


class NotToBeHadError(Exception):
    """Something that a cell needs is not on this machine."""


def make_locale(name: str, folder: Path) -> None:
    """Write the locale `name`, such as tr_TR.UTF-8, into `folder`, for `LOCPATH`.

    Raises `NotToBeHadError` without `localedef` and the sources of locales.
    """
    if (folder / name).exists():
        return
    folder.mkdir(exist_ok=True)
    language, _, charset = name.partition(".")
    command = ["localedef", "--no-archive", "-i", language, "-f", charset]
    try:
        subprocess.run([*command, str(folder / name)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotToBeHadError(
            f"Expected localedef to make the locale {name}, got"
            f" {type(error).__name__}. Install the system's package of locales."
        ) from None
