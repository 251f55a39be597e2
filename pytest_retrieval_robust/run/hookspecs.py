"""The hook that this plugin adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..core.catalogue import Catalogues


@pytest.hookspec(historic=True)
def pytest_robust_register(catalogues: Catalogues) -> None:
    """Add your own models, data sets, occluders, corruptions, text noise, metrics or reports:
    `catalogues.models.add(ModelEntry(...))`.

    Mark an implementation with `@pytest.hookimpl(optionalhook=True)`, so that
    `-p no:retrieval_robust` does not break your project.
    """
