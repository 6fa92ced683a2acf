import abc
from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._checks import check_nonnegative
from ..._door import AbstractChecked
from ..._shown import AbstractShown
from ..._typing import Points, Scalar
from ...attention.kernels import Softmax
from ...attention.masks import causal
from ._operators import Affine, Columns, Operator
from ._steps import Step


class AbstractFamily(AbstractChecked):
    """Fields b on the sphere among which a drift is looked for; `gradient` says if all are gradients."""

    gradient: ClassVar[bool]

    @abc.abstractmethod
    def operator(self, steps: list[Step], centre: np.ndarray, times: np.ndarray) -> Operator:
        """The map from parameters to sqrt(h) P_x b at the points of the steps, one after the other."""


class Constant(AbstractFamily):
    """b(x) = g: the gradient of a linear potential, that draws all tokens toward g/|g|."""

    gradient: ClassVar[bool] = True

    def operator(self, steps: list[Step], centre: np.ndarray, times: np.ndarray) -> Operator:
        return _affine(steps, centre, times, None)


class Linear(AbstractFamily):
    """b(x) = M x + g with any matrix M: d^2 + d parameters."""

    gradient: ClassVar[bool] = False

    def operator(self, steps: list[Step], centre: np.ndarray, times: np.ndarray) -> Operator:
        return _affine(steps, centre, times, False)


class Quadratic(AbstractFamily):
    """b(x) = S x + g with S symmetric: the gradient of a quadratic, -V(x) = <x, S x>/2 + <g, x>."""

    gradient: ClassVar[bool] = True

    def operator(self, steps: list[Step], centre: np.ndarray, times: np.ndarray) -> Operator:
        return _affine(steps, centre, times, True)


class AttentionPotential(AbstractFamily):
    """b(x_i) = c sum_j w_ij x_j with softmax weights of beta <x_i, x_j>, over tokens j <= i if `causal`.

    Idealized self-attention (V = Q = K = identity), with one coefficient c; in x_i it is the gradient
    of (c/beta) log sum_j e^{beta <x_i, x_j>}. Raises ValueError for a negative beta.
    """

    gradient: ClassVar[bool] = True
    beta: Scalar = eqx.field(converter=lambda b: check_nonnegative(b, "beta"))
    causal: bool = True

    def operator(self, steps: list[Step], centre: np.ndarray, times: np.ndarray) -> Operator:
        fields = [
            np.asarray(_attend(self.beta, self.causal, jnp.asarray(step.x))) for step in steps
        ]
        return Columns(np.concatenate(fields).astype(float)[..., None], _points(steps), times)


class Writes(AbstractFamily):
    """b(x) = (c_1 attention + c_2 MLP)/|x|: what the layer itself adds to the states, scaled.

    Needs recordings with `mid`. Raises ValueError, when fitted, without.
    """

    gradient: ClassVar[bool] = False

    def operator(self, steps: list[Step], centre: np.ndarray, times: np.ndarray) -> Operator:
        found = [step.writes for step in steps]
        known = [np.stack(writes, axis=-1) for writes in found if writes is not None]
        if len(known) < len(found):
            raise ValueError(
                "expected recordings with states in the middle of layers, got some without mid; "
                "record them, or choose another family."
            )
        return Columns(np.concatenate(known), _points(steps), times)


class AffineDrift(AbstractShown):
    """b(x) = M x + g of one point [d]."""

    matrix: Float[Array, "d d"]
    offset: Float[Array, " d"]

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, " d"]:
        return self.matrix.astype(x.dtype) @ x + self.offset.astype(x.dtype)


class QuadraticPotential(AbstractShown):
    """V(x) = -<x, S x>/2 - <g, x> of one point [d], with S symmetric."""

    matrix: Float[Array, "d d"]
    offset: Float[Array, " d"]

    def __call__(self, x: Float[Array, " d"]) -> Scalar:
        matrix, offset = self.matrix.astype(x.dtype), self.offset.astype(x.dtype)
        return -(x @ (matrix @ x)) / 2 - offset @ x


Drift = Callable[[Float[Array, " d"]], Float[Array, " d"]]


def affine_of(operator: Operator, theta: np.ndarray, centre: np.ndarray) -> AffineDrift | None:
    """The drift of one point, where the family has one that does not depend on the cloud."""
    if not isinstance(operator, Affine):
        return None
    matrix, g = operator.parts(theta)
    return AffineDrift(jnp.asarray(matrix), jnp.asarray(g - matrix @ centre))


@eqx.filter_jit
def _attend(beta: Scalar, past: bool, x: Points) -> Points:
    mask = causal(x.shape[0]) if past else None
    return Softmax(beta.astype(x.dtype), mask=mask)(x)


def _affine(
    steps: list[Step], centre: np.ndarray, times: np.ndarray, symmetric: bool | None
) -> Affine:
    x = _points(steps)
    return Affine(x, x - centre, times, symmetric)


def _points(steps: list[Step]) -> np.ndarray:
    return np.concatenate([step.x for step in steps])
