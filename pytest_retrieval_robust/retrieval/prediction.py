"""What a share of hits may be in another sample of as many queries. Pure Python.

A confidence interval says where the truth may lie. A later sample varies around the
truth as the first one did, so that it may fall further from what was observed.
"""

from __future__ import annotations

import math

from .intervals import Estimate


def least_predicted_share(share: float, queries: float, deviate: float) -> float:
    """The least share of hits that another sample of as many independent queries reaches
    at `deviate` standard normal deviates below the one that was observed.

    Both samples are of one truth, which is estimated from the two together (the joint
    sampling approach: K. Krishnamoorthy, J. Peng, "Improved closed-form prediction
    intervals for binomial and Poisson distributions", Journal of Statistical Planning
    and Inference 141, 2011): the share s at which

        (share - s)**2 = deviate**2 * m * (1 - m) * 2 / queries,  m = (share + s) / 2

    Queries that come in clusters count by their effective number, which need not be whole.

    >>> round(least_predicted_share(0.5, 500, 1.645), 3)
    0.448
    >>> round(least_predicted_share(1.0, 500, 1.645), 3)
    0.995

    Raises:
        ValueError: A share outside [0, 1], or queries or a deviate that are not above 0.
    """
    if not (0 <= share <= 1 and queries > 0 and deviate > 0):
        raise ValueError(
            "Expected a share in [0, 1], and queries and a deviate above 0, got"
            f" share={share!r}, queries={queries!r}, deviate={deviate!r}."
        )
    # A quadratic equation of the loss, share - s.
    spread = 2 * deviate**2 / queries
    leading = 1 + spread / 4
    half = spread * (2 * share - 1) / 4
    root = math.sqrt(half**2 + leading * spread * share * (1 - share))
    return min(share, max(0.0, share - (half + root) / leading))


def effective_queries(estimate: Estimate, deviate: float) -> float | None:
    """How many independent queries have the lower Wilson bound of an estimate, which lies
    `deviate` deviates out; None for a share of 0, which has none.

    So whatever widened the bound, as repeated patients do, is in the number.

    >>> from .intervals import proportion
    >>> round(effective_queries(proportion(0.8, 500, 0.95, effect=2.0), 1.6448536), 3)
    250.0
    """
    distance = estimate.value - estimate.low
    if distance <= 0:
        return None
    return deviate**2 * estimate.low * (1 - estimate.low) / distance**2
