"""What the processes of a run under pytest-xdist tell each other of its tests: files in
the folder of the run's ranks.

A worker knows the model of each of its tests from their parameters. The controller
knows only their ids, in which one model's name may be the beginning of another's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ...core.atomic_files import whole_file
from ...core.cases import Json
from ..roster import Roster

_TESTS = "tests.json"
_CRASHES = "crashed.json"
_ROSTER = "roster.json"
_USAGE_ERROR = "wrong.json"


class NoticeBoard:
    """Notices of workers to their controller, and of the controller to all workers.

    If a worker cannot see the folder, because it runs on another machine, the board is
    empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._models: dict[str, str] | None = None

    def post_models(self, models: Mapping[str, str]) -> None:
        """Write down the model of each test, by its id; every worker writes the same."""
        self._write(_TESTS, dict(models))

    def models(self) -> Mapping[str, str]:
        """The model of each test that has one, by its id; empty before the collection."""
        # Kept once it is there: the scheduler asks each time that a worker is free.
        if self._models is None:
            self._models = self._read(_TESTS) or None
        return self._models or {}

    def post_roster(self, roster: Roster) -> None:
        """Write down which tests were collected; every worker collects the same."""
        self._write(_ROSTER, roster.as_json())

    def roster(self) -> Roster | None:
        """What was collected; None before any worker has collected a test of ours."""
        content = self._read(_ROSTER)
        return Roster.from_json(content) if content else None

    def post_usage_error(self, sentence: str) -> None:
        """Write down what is wrong with an option, a name or a policy.

        To its controller, a worker that stops looks like one that crashed.
        """
        self._write(_USAGE_ERROR, {"sentence": sentence})

    def usage_error(self) -> str | None:
        """What a worker found to be wrong."""
        return self._read(_USAGE_ERROR).get("sentence")

    def post_crash(self, test: str) -> None:
        """Write down that a worker died in a test.

        No other test of its model is run: it might end another worker.
        """
        model = self.models().get(test)
        if model is not None:
            self._write(_CRASHES, {**self.crashes(), model: test})

    def crashes(self) -> Mapping[str, str]:
        """The test in which a worker died, by its model."""
        return self._read(_CRASHES)

    def _write(self, name: str, content: Json) -> None:
        # A full disk is reported by what cannot keep its ranks there.
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            with whole_file(self._folder / name) as part:
                part.write_text(json.dumps(content), encoding="utf-8")

    def _read(self, name: str) -> Json:
        # No file means no notice: nobody has written it, or this machine cannot see it.
        try:
            text = (self._folder / name).read_text(encoding="utf-8")
        except OSError:
            return {}
        content: Json = json.loads(text)
        return content
