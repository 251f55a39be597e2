"""What a table says of its images beside their texts: sex, age, race and the like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def strata_of_words(
    names: Sequence[str], words_of_row: Mapping[int, Sequence[str]]
) -> Mapping[str, Sequence[str]]:
    """`SourceData.strata` of columns that a user named, from the words of each row.

    A column without any word stays: it was asked for.
    """
    rows = range(max(words_of_row, default=0) + 1)
    none = [""] * len(names)
    return {
        name: [words_of_row.get(row, none)[place] for row in rows]
        for place, name in enumerate(names)
    }


class StrataOfRows:
    """The words of each row of a table, by what they tell."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._words_of_row: dict[int, Sequence[str]] = {}

    def add(self, row: int, words: Sequence[str]) -> None:
        """Keep the words of a row, in the order of the names; "" for one that is absent."""
        self._words_of_row[row] = [word.strip() for word in words]

    def by_name(self) -> Mapping[str, Sequence[str]]:
        """Lists in which the number of a row is the place of its word.

        A name without any word, whose column the table has not got, is left out.
        """
        strata: dict[str, list[str]] = {}
        last = max(self._words_of_row, default=0)
        for place, name in enumerate(self._names):
            words = [""] * (last + 1)
            for row, row_words in self._words_of_row.items():
                words[row] = row_words[place]
            if any(words):
                strata[name] = words
        return strata
