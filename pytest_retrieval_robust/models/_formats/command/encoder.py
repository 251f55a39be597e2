"""The encoder that a command serves, as any other: pixels and texts go in, rows come out."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ....core.errors import EmbeddingError, ModelError
from ....core.foreign import SHOW_VARIABLE, shows_texts
from ....core.memory import OutOfMemory
from ... import ModelCard, Precision, Prepared
from ...preparing import prepares_by
from ..encoders import ShownEncoder, unit_rows
from ..pictures import way_or_none
from .frames import Header, Message, array_in
from .server import Server

_MOST_PLACES = 3
_LONGEST_PLACE = 120


class CommandEncoder(ShownEncoder):
    """Has another process encode, which is ended when nothing refers to this any more.

    Pixels stay in the memory of the host here. Where the other side computes, the
    greeting says.
    """

    device = "cpu"

    def __init__(
        self,
        name: str,
        server: Server,
        card: ModelCard,
        prepare: Callable[[Image.Image], Prepared] | None,
    ) -> None:
        self.name = name
        self.card = card
        self._server = server
        self._prepare = prepare or server.hello.geometry
        # Also at the end of the interpreter.
        weakref.finalize(self, server.close)

    @property
    def precision(self) -> Precision:
        return self._server.hello.precision

    @property
    def may_work_elsewhere(self) -> bool:
        """Whether it leaves this machine's cores idle while it encodes."""
        return not self._server.hello.device.startswith("cpu")

    @property
    def restarts(self) -> int:
        """How often its process ended and was started again."""
        return self._server.restarts

    @prepares_by(lambda encoder: way_or_none(encoder._prepare))
    def prepare(self, image: Image.Image) -> Prepared:
        prepared = self._prepare(image)
        if not isinstance(prepared, Prepared):
            raise ModelError(
                f"Expected prepare of {self.name} to return Prepared(pixels, frame),"
                f" got a {type(prepared).__name__}. Leave prepare out to prepare images"
                " as the command asks for."
            )
        return prepared

    def encode_images(self, pixels: Tensor) -> Tensor:
        array = pixels.detach().to("cpu", torch.float32).contiguous().numpy()
        parts = [array[part] for part in self._parts(len(array))]
        headers = [{"type": "images"} for _ in parts]
        return self._rows("images", headers, parts, [len(part) for part in parts])

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        parts = [list(texts[part]) for part in self._parts(len(texts))]
        headers = [{"type": "texts", "texts": part} for part in parts]
        nothing = [None] * len(parts)
        return self._rows("texts", headers, nothing, [len(part) for part in parts])

    def _parts(self, count: int) -> list[slice]:
        """Of at most as many inputs as the other side takes: the same for every run."""
        batch = self._server.hello.batch
        return [slice(first, first + batch) for first in range(0, count, batch)]

    def _rows(
        self,
        kind: str,
        headers: Sequence[Header],
        arrays: Sequence[NDArray[Any] | None],
        counts: Sequence[int],
    ) -> Tensor:
        width = self._server.hello.width
        answers = self._answers(headers, arrays)
        rows = np.empty((sum(counts), width), dtype=np.float32)
        first = 0
        for answer, count in zip(answers, counts, strict=True):
            rows[first : first + count] = self._checked(kind, answer, (count, width))
            first += count
        return unit_rows(torch.from_numpy(rows))

    def _answers(
        self, headers: Sequence[Header], arrays: Sequence[NDArray[Any] | None]
    ) -> list[Message]:
        """The answers in the order of the requests, none of which is an error."""
        numbered = [{**header, "id": n} for n, header in enumerate(headers)]
        answers = self._server.ask(numbered, arrays)
        for number, answer in enumerate(answers):
            if answer.header["type"] == "error":
                raise self._error_in(answer.header)
            if answer.header.get("id") != number:
                raise self._refusal(
                    f"the answer to request {number}",
                    "one with another id",
                    "Answer in the order of the requests, with the id of each.",
                )
        return answers

    def _checked(
        self, kind: str, answer: Message, expected: tuple[int, int]
    ) -> NDArray[Any]:
        rows = array_in(answer)
        problem = ""
        if isinstance(rows, str):
            problem = rows
        elif rows.shape != expected:
            problem = f"shape={rows.shape}"
        elif not np.isfinite(rows).all():
            problem = "rows with NaN or infinite numbers"
        if problem:
            raise self._refusal(
                f"rows of shape {expected} for {kind}",
                problem,
                "Return one row of finite floating numbers for each input.",
            )
        assert not isinstance(rows, str)
        return rows

    def _refusal(self, expected: str, got: str, advice: str) -> EmbeddingError:
        """The error for an answer that keeps to no agreement; its process is ended."""
        self._server.end()
        return EmbeddingError(
            f"Expected {expected} from the command of {self.name}, got {got}. {advice}"
        )

    def _error_in(self, header: Header) -> ModelError:
        """Our error for one that the other side reports of its encoder."""
        kind = _word(header.get("class")) or "an error"
        places = header.get("places")
        where = ""
        if isinstance(places, list) and places:
            where = (
                f" at {', from '.join(_word(place) for place in places[:_MOST_PLACES])}"
            )
        text = f" (its text is withheld: {SHOW_VARIABLE}=1 shows it)"
        if shows_texts():
            text = f": {header.get('text')}"
        expected = f"Expected the command of {self.name} to encode a batch, got"
        if header.get("out_of_memory") is True:
            return OutOfMemory(
                f"{expected} {kind}{where}{text}. Memory ran out: see what else runs"
                " there, or use half precision."
            )
        return ModelError(f"{expected} {kind}{where}{text}. Fix the encoder.")


class CountingCommandEncoder(CommandEncoder):
    """One whose command also counts tokens.

    Callers look for the ability by its attribute, so the other class must not have it.
    """

    def token_lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text is encoded as, after it was cut."""
        most = self._server.hello.context_length
        lengths = self._counted(texts)
        if most is None:
            return lengths
        return [min(length, most) for length in lengths]

    def truncated(self, texts: Sequence[str]) -> int:
        most = self._server.hello.context_length
        if most is None:
            return 0
        return sum(length > most for length in self._counted(texts))

    def _counted(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has before it is cut."""
        parts = [list(texts[part]) for part in self._parts(len(texts))]
        headers = [{"type": "count", "texts": part} for part in parts]
        answers = self._answers(headers, [None] * len(parts))
        lengths: list[int] = []
        for part, answer in zip(parts, answers, strict=True):
            counted = _lengths_in(answer.header)
            if len(counted) != len(part):
                raise self._refusal(
                    f"{len(part)} whole numbers for a count of tokens",
                    "something else",
                    "Return one number of tokens for each text.",
                )
            lengths += counted
        return lengths


def _word(value: object) -> str:
    """A short text of the other side, on one line."""
    if not isinstance(value, str):
        return ""
    return "".join(sign for sign in value if sign.isprintable())[:_LONGEST_PLACE]


def _lengths_in(header: Header) -> list[int]:
    """Numbers of tokens; empty where one is none."""
    counted = header.get("lengths")
    if not isinstance(counted, list):
        return []
    are_lengths = all(type(length) is int and length >= 0 for length in counted)
    return counted if are_lengths else []
