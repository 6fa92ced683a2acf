"""How sure a share that was counted is."""

import numpy as np

Z95 = 1.959963984540054
"""The two-sided 95 % quantile of the normal law."""


def wilson(hits, trials, z: float = Z95) -> tuple[np.ndarray, np.ndarray]:
    """The interval of Wilson (1927) for a probability, from `hits` of `trials`; 95 % by default.

    (p + z^2/2N -+ z sqrt(p (1-p)/N + z^2/4N^2)) / (1 + z^2/N): it keeps its coverage near 0 and 1.
    """
    share = np.asarray(hits, float) / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    spread = np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    spread = spread * z / (1 + z**2 / trials)
    low, high = np.maximum(centre - spread, 0), np.minimum(centre + spread, 1)
    return np.asarray(low), np.asarray(high)
