"""What of mutmut's mutations is made here: of decorated functions too, and not of wording."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import libcst as cst
import libcst.matchers as m
from mutmut.mutation import file_mutation, mutators

_DECORATORS = m.OneOf(
    m.Name("property"),
    m.Name("cached_property"),
    m.Name("cache"),
    m.Call(m.Name("lru_cache")),
)
"""Decorators that a function keeps while its mutants go without."""


def mutate_as_here() -> None:
    """Change mutmut for this process, before it makes mutants."""
    _mutate_decorated_functions()
    _leave_wording()


def _is_decorated(node: cst.CSTNode) -> bool:
    if not isinstance(node, cst.FunctionDef) or not node.decorators:
        return False
    return all(m.matches(each.decorator, _DECORATORS) for each in node.decorators)


def _mutate_decorated_functions() -> None:
    """mutmut leaves out every decorated function, and so most of what judges a run."""
    visitor: Any = file_mutation.MutationVisitor
    skips = visitor._skip_node_and_children
    arrange: Any = file_mutation.function_trampoline_arrangement

    def skips_here(self: Any, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef) and _is_decorated(node):
            return bool(skips(self, node.with_changes(decorators=[])))
        return bool(skips(self, node))

    def arrange_here(
        function: cst.FunctionDef, mutants: Iterable[Any], class_name: str | None
    ) -> Any:
        if not _is_decorated(function):
            return arrange(function, mutants, class_name)
        bare = function.with_changes(decorators=[])
        declared, nodes, assigned, names = arrange(bare, mutants, class_name)
        switch: Any = nodes[0]
        decorators = [*function.decorators, *switch.decorators]
        return (
            declared,
            [switch.with_changes(decorators=decorators), *nodes[1:]],
            assigned,
            names,
        )

    visitor._skip_node_and_children = skips_here
    file_mutation.function_trampoline_arrangement = arrange_here


def _leave_wording() -> None:
    """Strings with a space are sentences; of a keyword one mutant is enough."""

    def first_of_a_word(node: cst.BaseString) -> Iterable[cst.BaseString]:
        if isinstance(node, cst.SimpleString) and " " not in node.value:
            yield from list(mutators.operator_string(node))[:1]

    operators: Any = mutators.mutation_operators
    for number, (node_type, operator) in enumerate(operators):
        if operator is mutators.operator_string:
            operators[number] = (node_type, first_of_a_word)
