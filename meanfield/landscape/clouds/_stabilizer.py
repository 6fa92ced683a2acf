"""The symmetries of a cloud: permutations of its tokens that a rotation or reflection makes good."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float

_SAME = 1e-6
"""The difference of inner products up to which two are one: of a stationary cloud, found to rounding."""

_Cloud = Float[np.ndarray, "n d"]


def corners(x: _Cloud) -> list[list[int]]:
    """The tokens of a cloud, those that coincide together."""
    near = np.asarray(x @ x.T) > 1 - _SAME
    first = near.argmax(axis=1)
    return [np.flatnonzero(first == i).tolist() for i in np.unique(first)]


def permutations(x: _Cloud, rng: np.random.Generator | None = None) -> Iterator[list[int]]:
    """The permutations of the corners of a cloud that keep their products and sizes, in random order."""
    groups = corners(x)
    gram = x[[group[0] for group in groups]] @ x[[group[0] for group in groups]].T
    sizes = [len(group) for group in groups]

    def grown(chosen: list[int]) -> Iterator[list[int]]:
        i = len(chosen)
        if i == len(groups):
            yield chosen
            return
        for j in range(len(groups)) if rng is None else rng.permutation(len(groups)).tolist():
            if j in chosen or sizes[j] != sizes[i]:
                continue
            if np.abs(gram[j, chosen] - gram[i, :i]).max(initial=0) <= _SAME:
                yield from grown([*chosen, j])

    return grown([])


def stabilizer_order(x: _Cloud) -> int:
    """How many pairs of a permutation of tokens and a map of O(2) leave a cloud on the circle as it is."""
    ways = math.prod(math.factorial(len(group)) for group in corners(x))
    # On an axis, the reflection in it moves no token.
    spans = np.linalg.matrix_rank(x, tol=_SAME) == 2
    return ways * sum(1 for _ in permutations(x)) * (1 if spans else 2)


def symmetry(x: _Cloud, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random pair: images pi [n] and a map R [d, d] of O(d) with R x_i = x_{pi(i)}."""
    groups = corners(x)
    image = np.empty(len(x), int)
    for group, j in zip(groups, next(permutations(x, rng)), strict=True):
        image[group] = rng.permutation(groups[j])
    left, sizes, right = np.linalg.svd(x[image].T @ x)
    rank = int((sizes > _SAME).sum())
    free = left[:, rank:] @ _turn(x.shape[1] - rank, len(x), rng) @ right[rank:]
    return image, left[:, :rank] @ right[:rank] + free


def _turn(d: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """A map of finite order, at most 2n, of the directions in which a cloud does not reach."""
    turn, fraction = np.eye(d), rng.integers(1, n + 1)
    for i in range(0, d - 1, 2):
        angle = 2 * np.pi * rng.integers(fraction) / fraction
        c, s = np.cos(angle), np.sin(angle)
        turn[i : i + 2, i : i + 2] = [[c, -s], [s, c]]
    if d:
        turn[0] *= rng.choice([-1, 1])
    return turn


def fixed_by(pairs: list[tuple[np.ndarray, np.ndarray]], n: int, d: int) -> np.ndarray:
    """The projection [nd, nd] to the clouds that each of these symmetries leaves as it is."""
    size = n * d
    rows = [np.zeros((size, size))]
    for image, turn in pairs:
        moves = np.zeros((n, d, n, d))
        moves[image, :, np.arange(n), :] = turn
        rows.append(moves.reshape(size, size) - np.eye(size))
    _, sizes, directions = np.linalg.svd(np.concatenate(rows))
    kept = directions[sizes <= _SAME]
    return kept.T @ kept


def kept_by(value: Callable, pairs: list[tuple[np.ndarray, np.ndarray]], cloud: np.ndarray) -> bool:
    """Whether a function of clouds is the same of this one once it is turned by these symmetries."""
    return all(np.isclose(value(cloud @ turn.T), value(cloud), rtol=1e-10) for _, turn in pairs)
