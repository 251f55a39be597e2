"""A `robust.toml` that a command judges a saved run by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...gate.comparison import Run
    from ...gate.policy import Policy


def policy_for(run: Run, policy_file: Path | None) -> tuple[Policy, Run]:
    """The policy, whose names are checked, and the run with the metrics of its gates.

    None stands for a policy without gates. Raises `RobustError` for a file that cannot
    be read, and for gates on nothing.
    """
    from ...core.catalogue import Catalogues
    from ...core.config_file import read_config_file
    from ...gate.comparison import Run
    from ...gate.policy import Policy
    from ...gate.toml import read_policy
    from ..gate_names import check_metrics, check_names, metrics_of_gates

    policy = Policy()
    plan = run.measured.plan
    if policy_file is not None:
        config_file = read_config_file(policy_file)
        policy = read_policy(config_file)
        catalogues = Catalogues()
        # Checked before anything is judged: a gate on nothing would be met by any run.
        check_names(policy, plan, catalogues, config_file)
        check_metrics(policy, plan, catalogues, run.measured.metrics)
        metrics = metrics_of_gates(policy, catalogues)
        run = Run(run.measured, run.evidence.with_metrics(metrics))
    policy.check(plan, levels_typed=True, severities_typed=True)
    return policy, run
