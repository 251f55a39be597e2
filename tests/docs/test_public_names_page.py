"""docs/python.md lists every name that a user may import."""

from __future__ import annotations

import pytest

import pytest_retrieval_robust
from training.public_names_page import summary_of, table

from .pages import read

PAGE = read("docs/python.md")


def test_the_table_is_made_of_the_public_names() -> None:
    generated = PAGE.partition("<!-- names: generated -->\n")[2]
    generated = generated.partition("\n<!-- names: end -->")[0]
    assert generated == table(), "run python -m training.public_names_page"


@pytest.mark.parametrize("name", pytest_retrieval_robust.__all__)
def test_a_name_says_what_it_is(name: str) -> None:
    assert len(summary_of(name)) > len(name)
