import jax
import jax.numpy as jnp
import numpy as np
import scipy

from ..dynamics import AbstractParticles

SMALLEST = 8
"""Slots below which a cloud is not shrunk further: smaller programs are not quicker."""


def rows(state, n: int) -> list:
    """The parts of a state that have one row a token, as matrices [n, .]."""
    return [leaf.reshape(n, -1) for leaf in jax.tree.leaves(state) if _by_token(leaf, n)]


def with_rows(state, parts: list, n: int):
    """`state` with its parts by token replaced; other parts, such as a clock, stay."""
    left = iter(parts)

    def replace(leaf):
        if not _by_token(leaf, n):
            return leaf
        part = next(left)
        return part.reshape(-1, *leaf.shape[1:])

    return jax.tree.map(replace, state)


def _by_token(leaf, n: int) -> bool:
    return leaf.ndim > 0 and leaf.shape[0] == n


class Cloud:
    """Tokens of which some have merged: slots hold clusters, labels say which slot a token is in."""

    def __init__(self, dynamics: AbstractParticles, state, masses: np.ndarray, distance: float):
        self.dynamics, self.state, self.masses, self.distance = dynamics, state, masses, distance
        self.names = np.arange(masses.size)
        self.labels = np.arange(masses.size)
        self.size = masses.size
        self.records: list[tuple[float, int, int, float]] = []

    @classmethod
    def start(cls, dynamics: AbstractParticles, x0, distance: float, t: float) -> "Cloud":
        """A cloud at its start, tokens that coincide already merged."""
        n = jax.tree.leaves(x0)[0].shape[0]
        masses = np.full(n, 1 / n) if dynamics.weights is None else np.asarray(dynamics.weights)
        cloud = cls(dynamics, x0, masses, distance)
        cloud.update(x0, t)
        return cloud

    def padded(self):
        """State, masses and activity, filled up to `slots` slots."""
        parts = rows(self.state, self.size)
        pad = self.slots - self.size
        parts = [jnp.concatenate([part, jnp.repeat(part[:1], pad, axis=0)]) for part in parts]
        dtype = parts[0].dtype
        masses = jnp.asarray(np.pad(self.masses, (0, pad)), dtype)
        active = jnp.arange(self.slots) < self.size
        return with_rows(self.state, parts, self.size), masses, active

    @property
    def slots(self) -> int:
        """The size class of the number of clusters, or that number while nothing has merged."""
        if self.size == self.labels.size:
            return self.size
        return min(self.labels.size, max(SMALLEST, 1 << (self.size - 1).bit_length()))

    def update(self, state, t: float) -> None:
        """Take a padded state, and merge the clusters that have come within the distance."""
        slots = jax.tree.leaves(state)[0].shape[0]
        parts = [np.asarray(part)[: self.size] for part in rows(state, slots)]
        self.state = with_rows(state, [jnp.asarray(part) for part in parts], slots)
        # The kernel that saw the pair and this one may differ by rounding: leave it some room.
        pairs = scipy.spatial.KDTree(np.concatenate(parts, axis=1)).query_pairs(
            self.distance * (1 + 1e-6)
        )
        if pairs:
            self._join(np.array(sorted(pairs)), parts, t)

    def _join(self, pairs: np.ndarray, parts: list[np.ndarray], t: float) -> None:
        graph = scipy.sparse.coo_array((np.ones(len(pairs)), pairs.T), shape=(self.size, self.size))
        count, group = scipy.sparse.csgraph.connected_components(graph, directed=False)
        self._record(group, t)
        masses = np.bincount(group, self.masses, count)
        # Tokens of mass zero that meet each other alone are at their middle.
        weight = np.where(masses[group] > 0, self.masses, 1.0)
        share = np.zeros((count, self.size))
        share[group, np.arange(self.size)] = weight
        share /= share.sum(axis=1, keepdims=True)
        means = [share @ part for part in parts]
        dtype = parts[0].dtype
        state = with_rows(
            self.state, [jnp.asarray(mean.astype(dtype)) for mean in means], self.size
        )
        names = np.full(count, self.labels.size)
        np.minimum.at(names, group, self.names)
        self.state, self.masses, self.names = self.dynamics.project(state), masses, names
        self.labels, self.size = group[self.labels], count

    def _record(self, group: np.ndarray, t: float) -> None:
        """Note who joins whom: the token of lowest number gives its name to the cluster."""
        first: dict[int, tuple[int, float]] = {}
        for slot in np.argsort(self.names).tolist():
            cluster, name, mass = int(group[slot]), int(self.names[slot]), float(self.masses[slot])
            kept, total = first.get(cluster, (name, 0.0))
            if kept != name:
                self.records.append((t, kept, name, total + mass))
            first[cluster] = (kept, total + mass)

    def expand(self):
        """The state of all tokens in their order, merged ones on one point."""
        parts = [part[self.labels] for part in rows(self.state, self.size)]
        return with_rows(self.state, parts, self.size)

    def tree(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The merge tree as arrays: time, kept, absorbed, mass."""
        t, kept, absorbed, mass = zip(*self.records, strict=True) if self.records else ((),) * 4
        return (
            np.array(t, float),
            np.array(kept, int),
            np.array(absorbed, int),
            np.array(mass, float),
        )
