"""A progress bar over several sweeps, in a terminal or a notebook, by tqdm."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..core.cases import level_word
from ..core.plain_text import plain
from ..core.progress import Progress, Tell


class Bar:
    """Counts the encodings of sweeps that follow one another."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._before = 0

    def begin(self, title: str, encodings: int) -> Tell:
        """The next sweep, of so many encodings; what is returned is told how far it is."""
        before = self._before
        self._before += encodings
        self._bar.set_description_str(plain(title), refresh=False)
        self._move_to(before)

        def tell(progress: Progress) -> None:
            if progress.level is not None:
                word = level_word(progress.family)
                text = f"{word} {progress.level:g}"
                self._bar.set_postfix_str(text, refresh=False)
            self._move_to(before + progress.done)

        return tell

    def _move_to(self, done: int) -> None:
        # A sweep that failed leaves what it did not do behind.
        self._bar.update(done - self._bar.n)

    def end(self) -> None:
        self._move_to(self._before)


@contextmanager
def progress_bar(total: int, shown: bool | None) -> Iterator[Bar | None]:
    """A bar over `total` encodings; None where it is not shown.

    With `shown=None` it is shown where a person looks: on a terminal, or in a notebook.
    An interrupt leaves it where it stands.
    """
    if not (_has_viewer() if shown is None else shown):
        yield None
        return
    bar = _new_bar(total)
    try:
        counting = Bar(bar)
        yield counting
        counting.end()
    finally:
        bar.close()


def _new_bar(total: int) -> Any:
    # Imported late: only those who look at it pay for it. Without ipywidgets a notebook
    # shows the bar as text, for which it need not warn.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*IProgress.*")
        from tqdm.auto import tqdm

        return tqdm(total=total, unit="image", dynamic_ncols=True)


def _has_viewer() -> bool:
    return _is_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def _is_notebook() -> bool:
    """Whether a kernel of Jupyter runs this, without importing IPython."""
    ipython = sys.modules.get("IPython")
    get_shell = getattr(ipython, "get_ipython", None)
    shell = None if get_shell is None else get_shell()
    return "IPKernelApp" in getattr(shell, "config", {})
