import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, PyTree

from .._checks import (
    as_array,
    check_instance,
    check_instances,
    check_nonnegative,
    check_scalar,
    check_weights,
    guard,
    is_concrete,
)
from .._door import AbstractChecked
from .._hooks import all_of, default, times_of
from .._typing import Points, Scalar, Weights
from ..geometry import AbstractGeometry

ADD = "add one such as Drift(geometry, function)"
State = PyTree[Float[Array, "..."]]
"""What a dynamics moves: an array or a tuple of arrays."""


class AbstractDynamics(AbstractChecked):
    """A vector field in continuous time, for `simulate`. Dynamics add with `+`."""

    @abc.abstractmethod
    def drift(self, t: Scalar, state: State, args: Any) -> State:
        """The velocity of the state: a diffrax vector field. `args` carries controls."""

    @default
    def project(self, state: State) -> State:
        """The nearest admissible state, applied to whatever is saved or observed: itself, by default."""
        return state

    @abc.abstractmethod
    def check(self, state: Any) -> State:
        """A start that fits this dynamics; ValueError, with the remedy, if it does not."""

    @default
    def prepared(self, dtype: DTypeLike) -> "AbstractDynamics":
        """The same in this precision, with all that no state changes computed once: `simulate` asks for
        it before it runs. Itself, by default."""
        return self

    @default
    def jumps(self) -> Float[Array, " jumps"] | None:
        """The times at which the drift jumps; a solver lands on them. None, by default, if never."""
        return None

    @default
    def solved(self, t: Scalar, state: State, args: Any) -> Bool[Array, ""] | None:
        """Whether the inner iterations of the drift reach their tolerance at this state; None, by
        default, where there are none. Where they do not, the drift must be NaN."""
        return None

    @default
    def requirements(self, state: State) -> dict[str, Bool[Array, ""]]:
        """What must hold of every state of a run besides being finite, such as a density that is not
        negative: a sentence on what is wrong where it does not, with its remedy, and whether it holds."""
        return {}


class AbstractParticles(AbstractDynamics):
    """A vector field that moves n weighted tokens on a geometry, perhaps with noise.

    Noise of strength nu adds the generator nu * Laplacian to each token: dX = drift dt + sqrt(2 nu) dB.
    """

    NAMED = "a flow of particles"
    EXAMPLE = "AttentionFlow(Sphere(3), Softmax(2.0))"

    if TYPE_CHECKING:  # a type checker would take abstract variables for arguments of __init__

        @property
        def geometry(self) -> AbstractGeometry: ...

        @property
        def noise(self) -> Scalar | None: ...

        @property
        def weights(self) -> Weights | None: ...

    else:
        geometry: eqx.AbstractVar[AbstractGeometry]
        noise: eqx.AbstractVar[Scalar | None]
        weights: eqx.AbstractVar[Weights | None]

    @abc.abstractmethod
    def reweight(self, weights: Weights) -> "AbstractParticles":
        """The same dynamics for a cloud of these masses."""

    def __add__(self, other: "AbstractParticles") -> "AbstractParticles":
        return Sum((self, check_instance(other, AbstractParticles, "a flow to add", ADD)))


class AbstractSharedNoise(AbstractDynamics):
    """A cloud [n, d] that one random matrix moves as a whole: dx_i = drift dt + P_{x_i} dW m_i.

    The entries of W are independent Brownian motions of variance scale^2 t, and m_i are `moments`.
    """

    if TYPE_CHECKING:  # as above

        @property
        def geometry(self) -> AbstractGeometry: ...

        @property
        def scale(self) -> Scalar: ...

    else:
        geometry: eqx.AbstractVar[AbstractGeometry]
        scale: eqx.AbstractVar[Scalar]

    @abc.abstractmethod
    def moments(self, t: Scalar, x: Points, args: Any) -> Points:
        """What the matrix is applied to, a vector a token."""


class AbstractCloud(AbstractParticles):
    """A flow whose state is the cloud [n, d] alone: x_i' = P_{x_i} field(t, x, args)_i."""

    @abc.abstractmethod
    def field(self, t: Scalar, x: Points, args: Any) -> Points:
        """The ambient velocity of each token, before projection on the tangent space."""

    def drift(self, t: Scalar, state: Points, args: Any) -> Points:
        return self.geometry.extend(lambda x: self.field(t, x, args), state)

    def project(self, state: Points) -> Points:
        return self.geometry.project(state)

    def check(self, state) -> Points:
        return check_cloud(self.geometry, self.weights, state)

    def reweight(self, weights: Weights) -> "AbstractCloud":
        return replace_weights(self, weights)


class Sum(AbstractParticles):
    """Several flows of the same tokens at once: drifts add, and so do strengths of noise.

    Made by `flow + other`. The first term gives the geometry and the form of the state. Terms without
    weights take those of the others.
    Raises ValueError if the terms live on different geometries, have different weights, or some have
    radii and others none.
    """

    terms: tuple[AbstractParticles, ...] = eqx.field(converter=lambda terms: _of_one_mass(terms))

    def __check_init__(self):
        if any(term.geometry != self.terms[0].geometry for term in self.terms):
            raise ValueError(
                "expected flows on one geometry, got several; make them with the same."
            )
        if len({has_radii(term) for term in self.terms}) > 1:
            raise ValueError(
                "expected flows that all have radii or none, got both; use PostNorm(), "
                "or AttentionFlow(..., mlp=mlp) for a feed-forward layer."
            )

    @property
    def geometry(self) -> AbstractGeometry:
        return self.terms[0].geometry

    @property
    def weights(self) -> Weights | None:
        return self.terms[0].weights

    @property
    def noise(self) -> Scalar | None:
        strengths = [term.noise for term in self.terms if term.noise is not None]
        return sum(strengths[1:], start=strengths[0]) if strengths else None

    def drift(self, t: Scalar, state: State, args: Any) -> State:
        drifts = [term.drift(t, state, args) for term in self.terms]
        return jax.tree.map(lambda *each: sum(each[1:], start=each[0]), *drifts)

    def project(self, state: State) -> State:
        return self.terms[0].project(state)

    def check(self, state: Any) -> State:
        for term in self.terms:
            state = term.check(state)
        return state

    def jumps(self) -> Float[Array, " jumps"] | None:
        return times_of(term.jumps() for term in self.terms)

    def requirements(self, state: State) -> dict[str, Bool[Array, ""]]:
        return {k: v for term in self.terms for k, v in term.requirements(state).items()}

    def solved(self, t: Scalar, state: State, args: Any) -> Bool[Array, ""] | None:
        return all_of(term.solved(t, state, args) for term in self.terms)

    def reweight(self, weights: Weights) -> "Sum":
        terms = tuple(term.reweight(weights) for term in self.terms)
        return Sum(terms)


def has_radii(flow: AbstractParticles) -> bool:
    """Whether the state of a flow is (directions [n, d], radii [n]) instead of a cloud."""
    if isinstance(flow, Sum):
        return has_radii(flow.terms[0])
    normalization = getattr(flow, "normalization", None)
    return normalization is not None and normalization.radial


def _of_one_mass(terms: tuple[AbstractParticles, ...]) -> tuple[AbstractParticles, ...]:
    """The terms, those without weights with the weights of the others."""
    remedy = "pass (flow, other)"
    terms = (*check_instances(terms, AbstractParticles, "flows of tokens to add", remedy),)
    known = [term.weights for term in terms if term.weights is not None]
    for other in known[1:]:
        same = known[0].shape == other.shape
        if same and is_concrete(known[0]) and is_concrete(other):
            same = bool((known[0].astype(float) == other.astype(float)).all())
        if not same:
            raise ValueError(
                "expected the same weights in all flows of a sum, got different ones; give the weights "
                "to one flow alone."
            )
    if not known:
        return terms
    return tuple(term.reweight(known[0]) if term.weights is None else term for term in terms)


class AbstractReduction(AbstractDynamics):
    """A closed equation for one number, to which a symmetric cloud reduces exactly.

    Raises ValueError for a start that is not one number, or out of the range that `requirements` tells.
    """

    def check(self, state: Any) -> State:
        state = (
            jnp.asarray(state, float) if isinstance(state, int | float) else as_array(state, "x0")
        )
        if state.ndim:
            raise ValueError(
                f"expected one number to start from, got shape {list(state.shape)}; use vmap for more."
            )
        real = jnp.issubdtype(state.dtype, jnp.floating)
        for wrong, right in self.requirements(state).items() if real else ():
            guard(state, right, f"expected a start within its range, got one for which {wrong}.")
        return state


def as_noise(noise) -> Scalar | None:
    """None for the number 0, which means an ordinary differential equation; else a strength >= 0."""
    known = isinstance(noise, int | float | np.number | np.ndarray | jax.Array) and is_concrete(
        noise
    )
    if noise is None or (known and np.ndim(noise) == 0 and noise == 0):
        return None
    return check_nonnegative(noise, "noise")


def as_weights(weights) -> Weights | None:
    """None for a uniform cloud, or nonnegative masses of sum 1."""
    return (
        None
        if weights is None
        else check_weights(weights, jnp.size(as_array(weights, "weights")), "weights")
    )


def as_strength(value, name: str) -> Scalar | Callable[..., Scalar]:
    """A number, or a function that returns one, which a class is not."""
    if isinstance(value, type) or not callable(value):
        return check_scalar(value, name)
    return cast(Callable[..., Scalar], value)


def replace_weights(dynamics, weights: Weights):
    """A copy of a dynamics with these masses in its field `weights`."""
    return eqx.tree_at(lambda f: f.weights, dynamics, weights, is_leaf=lambda a: a is None)


def check_cloud(geometry: AbstractGeometry, weights: Weights | None, x) -> Array:
    """n points of the geometry, as many as there are weights."""
    if isinstance(x, tuple):
        raise ValueError("expected one array of tokens [n, d], got a tuple; drop the radii.")
    x = geometry.check(x, "x0")
    if weights is not None and weights.shape != x.shape[:1]:
        raise ValueError(
            f"expected {weights.shape[0]} tokens for {weights.shape[0]} weights, got {x.shape[0]}; "
            "pass one weight a token."
        )
    return x
