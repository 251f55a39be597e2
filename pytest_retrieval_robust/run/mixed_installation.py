"""A sentence on two versions of this package that lie over each other."""

from __future__ import annotations

from importlib import metadata

from .. import __version__

_DISTRIBUTION = "pytest-retrieval-robust"


def mixed_installation_note() -> str | None:
    """What pip and pytest call this package, where that is not the version that runs.

    An installation that was interrupted, or made into a folder that held another one,
    leaves the metadata of both, and modules of either.
    """
    try:
        declared = metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return None
    if declared == __version__:
        return None
    return (
        f"Two versions of {_DISTRIBUTION} lie over each other: its metadata say"
        f" {declared}, and the code that ran is {__version__}. Run pip uninstall"
        f" {_DISTRIBUTION} until it finds none, and install one."
    )
