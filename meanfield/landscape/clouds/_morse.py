import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from ..._checks import check_known
from ..._door import door
from ..._shown import AbstractShown
from ._critical_points import CriticalPoints
from ._stabilizer import stabilizer_order


class MorseCount(AbstractShown):
    """How many stationary clouds there are of each index, and what topology asks of these numbers.

    `counts` [n]: of index 0 .. n - 1, with labelled tokens, up to rotations; `betti` [n]: the Betti
    numbers of the torus of such clouds; `rest` [n]: Q_k, of which the last is 0 if the Euler characteristic
    is right; `holds`: whether it is, and no Q_k is negative.
    """

    counts: Int[Array, " n"]
    betti: Int[Array, " n"]
    rest: Int[Array, " n"]
    holds: Bool[Array, ""]


@door
def morse_count(states: CriticalPoints) -> MorseCount:
    """A check of a list of stationary clouds on the circle, by Morse's inequalities.

        sum_k c_k t^k = (1 + t)^{n-1} + (1 + t) sum_k Q_k t^k,    Q_k >= 0

    Rotations act freely on n labelled tokens on the circle: up to them these are a torus T^{n-1}, whose
    Betti numbers are binomials. On it there are c_k critical points of index k, all nondegenerate: each
    state counts 2 n!/s times, with s the pairs of a permutation and a map of O(2) that leave it as it is.
    So the alternating sum of c_k is 0, the Euler characteristic, and c_k >= binom(n-1, k).
    It is necessary: a list that fails it lacks states, or has one too many. For d > 2 rotations do not
    act freely, and tokens that do not lie on an axis add nothing to the Euler characteristic of all clouds.

    - `states`: those of an energy of inner products, as `critical_points(energy, n, 2, key)` finds them:
      rotations and reflections change nothing.

    Of three tokens under `-Interaction(beta)` there are one cluster, three pairs with a third opposite, of
    index 1, and two triangles, of index 2.

    Raises ValueError for clouds in other dimensions, for states that rotations change, and under jit.
    Source: Milnor, Morse Theory (1963), section 5, doi 10.1515/9781400881802.
    """
    check_known(states, "states", "call morse_count outside of jax.jit")
    if states.x.shape[2] != 2:
        raise ValueError(
            f"expected tokens on the circle, d = 2, got d = {states.x.shape[2]}; "
            "pass critical_points(energy, n, 2, key)."
        )
    if bool((states.orbit != 1).any()):
        raise ValueError(
            "expected states that every rotation turns into others, orbit = 1, got orbit = 0; "
            "pass those of an energy of inner products."
        )
    n = states.x.shape[1]
    counts = np.zeros(n, int)
    for x, index in zip(np.asarray(states.x, float), np.asarray(states.index), strict=True):
        counts[index] += 2 * math.factorial(n) // stabilizer_order(x)
    betti = np.array([math.comb(n - 1, k) for k in range(n)])
    # (1 + t) Q = c - b: Q_k is the alternating sum of what stands before it.
    signs = (-1) ** np.arange(n)
    rest = signs * np.cumsum(signs * (counts - betti))
    holds = rest[-1] == 0 and (rest >= 0).all()
    return MorseCount(
        jnp.asarray(counts), jnp.asarray(betti), jnp.asarray(rest), jnp.asarray(holds)
    )
