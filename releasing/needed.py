"""Prints what a package needs of the libraries of the environment that runs this file.

A library needs another only under the extras that are asked of it, so that tools that
happen to be installed too are not taken for needed ones. It runs by itself: the
environment has `packaging`, which pytest needs, and not this folder.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def needed(package: str) -> dict[str, list[str]]:
    """Canonical name -> the names of what it needs, for a package and all that it needs.

    Raises `PackageNotFoundError` for a library that is not installed.
    """
    needs: dict[str, set[str]] = {}
    waiting = {(canonicalize_name(package), "")}
    done: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        done.add((name, extra))
        of_name = needs.setdefault(name, set())
        for requirement in map(Requirement, requires(name) or ()):
            marker = requirement.marker
            if marker is None or marker.evaluate({"extra": extra}):
                other = canonicalize_name(requirement.name)
                # An extra may name further extras of its own package.
                if other != name:
                    of_name.add(other)
                asked = {(other, asked) for asked in ("", *requirement.extras)}
                waiting |= asked - done
    return {name: sorted(names) for name, names in sorted(needs.items())}


if __name__ == "__main__":
    print(json.dumps(needed(sys.argv[1])))
