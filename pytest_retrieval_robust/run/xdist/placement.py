"""What the processes of a run under pytest-xdist tell each other of its tests, in the
folder of the run's ranks.

A worker knows the model of each of its tests from their parameters. Its controller
knows only their ids, in which one model's name may begin another's.
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
_CRASHED = "crashed.json"
_ROSTER = "roster.json"
_WRONG = "wrong.json"


class Placement:
    """The model of each test, and the models whose worker died; a folder that not all
    can see tells nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._models: dict[str, str] | None = None

    def tell_models(self, models: Mapping[str, str]) -> None:
        """Write down the model of each test, by its id; every worker writes the same."""
        self._write(_TESTS, models)

    def models(self) -> Mapping[str, str]:
        """The model of each test that has one, by its id; empty before any worker has
        collected one.
        """
        if self._models is None:
            self._models = self._read(_TESTS) or None
        return self._models or {}

    def tell_roster(self, roster: Roster) -> None:
        """Write down which tests were collected; every worker collects the same."""
        self._write_json(_ROSTER, roster.as_json())

    def roster(self) -> Roster | None:
        """Which tests the workers collected; None before the first one has, or where it
        cannot be seen.
        """
        found = self._read_json(_ROSTER)
        return Roster.from_json(found) if found else None

    def tell_wrong(self, sentence: str) -> None:
        """Write down what was typed wrong: to its controller, a worker that stops looks
        like one that crashed.
        """
        self._write(_WRONG, {"sentence": sentence})

    def wrong(self) -> str | None:
        """What a worker found to be typed wrong."""
        return self._read(_WRONG).get("sentence")

    def tell_crash(self, test: str) -> None:
        """Write down that a worker died in a test: no other test of its model is run,
        it might end another worker.
        """
        model = self.models().get(test)
        if model is not None:
            self._write(_CRASHED, {**self.crashes(), model: test})

    def crashes(self) -> Mapping[str, str]:
        """The test in which a worker died, by its model."""
        return self._read(_CRASHED)

    def _write(self, name: str, content: Mapping[str, str]) -> None:
        self._write_json(name, dict(content))

    def _write_json(self, name: str, content: Json) -> None:
        with suppress(
            OSError
        ):  # a full disk is told by who cannot keep its ranks there
            self._folder.mkdir(parents=True, exist_ok=True)
            with whole_file(self._folder / name) as part:
                part.write_text(json.dumps(content), encoding="utf-8")

    def _read(self, name: str) -> dict[str, str]:
        return self._read_json(name)

    def _read_json(self, name: str) -> Json:
        try:
            found: Json = json.loads((self._folder / name).read_text(encoding="utf-8"))
        except OSError:
            return {}
        return found
