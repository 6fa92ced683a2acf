"""Which powers of the states an equation needs, by the sparse regression of PySINDy."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Float

from ..._extras import module_of

PARTS = 8
"""A domain of the weak form reaches this part of the run to either side of its middle."""
DOMAINS = 200
Powers = tuple[int, ...]


def library() -> Any:
    """The package PySINDy. Raises ValueError without the extra."""
    return module_of("discovery", "pysindy", "discovery", "pysindy")


def sparse(
    ts: Sequence[np.ndarray],
    states: Sequence[Float[np.ndarray, "t n"]],
    degree: int,
    threshold: float,
    weak: bool,
    seed: int,
) -> list[dict[Powers, float]]:
    """The coefficient of each power of the states that is kept, for each equation.

        dx_i/dt = sum_p c_ip x^p,  |p| <= degree

    Sequentially thresholded least squares: coefficients below `threshold` of the largest are dropped, in
    units in which all states and the run are of size 1, and the rest is fitted again. In the weak form
    both sides are integrated against bumps, so that no measurement is differentiated.

    Source: Brunton, Proctor and Kutz, PNAS 113 (2016) 3932; Messenger and Bortz (2021), arXiv 2005.04339.
    """
    whole = np.concatenate(states)
    most = np.abs(whole).max(axis=0)  # whose squares may be out of range
    sizes = most * np.sqrt(((whole / most) ** 2).mean(axis=0))
    length = max(each[-1] - each[0] for each in ts)
    scaled = [each / sizes for each in states]
    clocks = [(each - each[0]) / length for each in ts]

    largest = np.abs(_fitted(clocks, scaled, degree, 0.0, weak, seed)).max()
    found = _fitted(clocks, scaled, degree, threshold * largest, weak, seed)
    powers = powers_of(len(sizes), degree)
    with np.errstate(all="ignore"):  # of states far from 1, whose coefficients may be no numbers
        return [
            {
                p: float(c * sizes[i] / length / np.prod(sizes ** np.array(p)))
                for p, c in zip(powers, row, strict=True)
                if c
            }
            for i, row in enumerate(found)
        ]


def _fitted(
    ts: list[np.ndarray],
    states: list[np.ndarray],
    degree: int,
    threshold: float,
    weak: bool,
    seed: int,
) -> Float[np.ndarray, "n p"]:
    """The coefficients of all powers in each equation; those below the threshold are zero."""
    ps = library()
    with _quiet(seed):
        features = ps.PolynomialLibrary(degree=degree, include_bias=not weak)
        if weak:
            features = ps.WeakPDELibrary(
                features, spatiotemporal_grid=ts[0], include_bias=True, K=DOMAINS,
                H_xt=ts[0][-1] / PARTS,
            )  # fmt: skip
        model = ps.SINDy(
            optimizer=ps.STLSQ(threshold=threshold, alpha=1e-12),
            feature_library=features,
            differentiation_method=ps.FiniteDifference(order=4),
        )
        model.fit(states, t=ts)
        return np.asarray(model.coefficients())


def powers_of(count: int, degree: int) -> list[Powers]:
    """The exponents of all monomials, in the order of PySINDy's: by degree, then by the first factors."""
    found = [(0,) * count]
    for total in range(1, degree + 1):
        found += sorted(_of_degree(count, total), reverse=True)
    return found


def _of_degree(count: int, total: int) -> Iterator[Powers]:
    if count == 1:
        yield (total,)
        return
    for first in range(total + 1):
        yield from ((first, *rest) for rest in _of_degree(count - 1, total - first))


@contextmanager
def _quiet(seed: int) -> Iterator[None]:
    """Without warnings; domains of the weak form are drawn by the seed, and numpy's own generator is left
    as it was."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(before)
