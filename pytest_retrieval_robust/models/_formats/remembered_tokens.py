"""Token ids that are kept, so that a text is tokenised once, however often it is asked for."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Protocol

_MOST = 2**24
"""Tokens that are kept: 64 MiB, some 200,000 reports of 80 tokens."""
_TOGETHER = 1024
"""Texts that are tokenised together: a tokenizer's own output takes far more memory."""


class Tokens(Protocol):
    """Reports to token ids."""

    context: int
    digest: str
    """Of the vocabulary and its settings."""

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """At most `context` of each text, special tokens among them."""

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has before it is cut."""


class RememberedTokens:
    """`Tokens` that keeps the ids of the texts that it was asked for last.

    A text's ids follow from the text alone. Texts themselves are not kept: their
    digests are enough.
    """

    def __init__(self, tokens: Tokens, most: int = _MOST) -> None:
        self.context = tokens.context
        self.digest = tokens.digest
        self._tokens = tokens
        self._most = most
        # The oldest first. From a plain dictionary, whose first places stay behind empty
        # when they are given up, the oldest takes ever longer to find.
        self._kept: OrderedDict[bytes, array[int]] = OrderedDict()
        self._size = 0

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids with the special tokens, at most `context` of them."""
        keys = [_key_of(text) for text in texts]
        known = self._known(keys, texts)
        return [known[key].tolist() for key in keys]

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has before it is cut."""
        lengths = [len(text_ids) for text_ids in self.ids(texts)]
        # A text that does not fill the context was not cut. The others are few.
        full = [
            number for number, length in enumerate(lengths) if length >= self.context
        ]
        # Some tokenizers fail without a text.
        if not full:
            return lengths
        before_cut = self._tokens.lengths([texts[number] for number in full])
        for number, length in zip(full, before_cut, strict=True):
            lengths[number] = length
        return lengths

    def _known(
        self, keys: Sequence[bytes], texts: Sequence[str]
    ) -> Mapping[bytes, array[int]]:
        """The ids of all texts by their keys; each different text is tokenised once."""
        known: dict[bytes, array[int]] = {}
        unknown: dict[bytes, str] = {}
        for key, text in zip(keys, texts, strict=True):
            kept = self._kept.get(key)
            if kept is None:
                unknown[key] = text
            else:
                known[key] = kept
        new_keys = list(unknown)
        for start in range(0, len(new_keys), _TOGETHER):
            part = new_keys[start : start + _TOGETHER]
            rows = self._tokens.ids([unknown[key] for key in part])
            for key, row in zip(part, rows, strict=True):
                known[key] = array("i", row)
                self._keep(key, known[key])
        return known

    def _keep(self, key: bytes, row: array[int]) -> None:
        self._kept[key] = row
        self._size += len(row)
        while self._size > self._most:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest)


def _key_of(text: str) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
