"""Errors of libraries that read files, as our own errors, which carry nothing of what was read.

A foreign error's text may quote a report or a path. Python prints the text of every
error that another one was raised in answer to: ours are therefore raised outside of the
handlers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ...core.errors import RobustError
from ...core.foreign import FOREIGN, Kinds, let_go, shows_texts

# Readers take it from here, together with the two below.
from ...core.foreign import attempted as attempted

Item = TypeVar("Item")


def guarded(
    items: Iterable[Item],
    failure: Callable[[BaseException], RobustError],
    kinds: Kinds = FOREIGN,
) -> Iterator[Item]:
    """The items; `failure` makes our error of one of `kinds` while they are read.

    Our own errors pass.
    """
    iterator = iter(items)
    while True:
        try:
            item = next(iterator)
        except StopIteration:
            return
        except RobustError:
            raise
        except kinds as error:
            problem = failure(error)
            let_go(error)
        else:
            # Outside of the handlers: what the caller raises there is not ours to change.
            yield item
            continue
        raise problem


def kind_of(error: BaseException) -> str:
    """What may be said of a library's error about a file.

    Its class, and its text if the user allowed texts.
    """
    kind = type(error).__name__
    # zlib's and struct's errors are both called `error`.
    if kind == "error":
        kind = f"{type(error).__module__}.error"
    return f"{kind} ({error})" if shows_texts() else kind
