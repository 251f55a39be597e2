"""An encoder in an environment of its own: a process that is asked over its standard streams.

`docs/command.md` has the protocol. `serve.py` beside this file is their side of it: it
is copied for users (`retrieval-robust serve --write serve.py`), and imports nothing of
this package.
"""

from __future__ import annotations

from .loading import load_command

__all__ = ["load_command"]
