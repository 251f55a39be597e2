"""All targets, in the order of the table."""

from __future__ import annotations

from collections.abc import Mapping

from . import (
    data_targets,
    model_targets,
    picture_targets,
    saved_targets,
    settings_targets,
)
from .target import Target

TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        *settings_targets.TARGETS,
        *saved_targets.TARGETS,
        *picture_targets.TARGETS,
        *data_targets.TARGETS,
        *model_targets.TARGETS,
    )
}
