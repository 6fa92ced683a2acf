import abc
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float, Int

from .._checks import (
    LARGEST,
    as_array,
    check_callable,
    check_integer,
    check_nonnegative,
    check_precision,
    shown,
)
from .._shown import AbstractShown
from ._polynomials import funk_hecke_rule


def compiled(method: Callable[..., Array]) -> Callable[..., Array]:
    """A method compiled once for each basis, which is hashable, and shape; its arrays are checked first."""
    program = jax.jit(method, static_argnums=0)
    names = [*inspect.signature(method).parameters][1:]

    @functools.wraps(method)
    def checked(self, *args, **kwargs) -> Array:
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        return program(self, **{name: _numbers(a, name) for name, a in given.items()})

    return checked


def _numbers(a: Any, name: str) -> Array | None:
    """An array of real numbers; None for weights that are left out."""
    return None if a is None and name == "w" else check_precision(as_array(a, name), name)


class AbstractBasis(AbstractShown):
    """Real harmonics Y_i on S^{d-1}, orthonormal for the normalized uniform measure.

    A function is f = sum_i c_i Y_i with coefficients c [k] sorted by degree; c_0 is its mean. `nodes`
    and `weights` (of sum 1) integrate products of three functions of the basis exactly, so that
    `product` and `divergence` are free of aliasing.

    A basis is a value without arrays: two of equal `degree` and `d` are equal, hash alike and share
    one compilation. Its tables are made in extended precision on the host and rounded to the dtype
    of what is passed in. `analyze`, `synthesize`, `convolve`, `heat` and `product` take batches in
    leading axes; the other methods take one vector of coefficients, and batch by `jax.vmap`. All
    are compiled, once for each basis and shape.

    Methods raise ValueError for a wrong number of coefficients, of node values or of columns.
    """

    EXAMPLE = "Fourier(32)"

    if TYPE_CHECKING:  # a type checker would take abstract variables for arguments of __init__

        @property
        def d(self) -> int: ...

        @property
        def degree(self) -> int: ...

    else:
        d: eqx.AbstractVar[int]
        degree: eqx.AbstractVar[int]

    @property
    @abc.abstractmethod
    def degrees(self) -> Int[np.ndarray, " k"]:
        """The degree of each coefficient."""

    @property
    @abc.abstractmethod
    def nodes(self) -> Float[Array, "q ..."]:
        """The quadrature nodes."""

    @property
    @abc.abstractmethod
    def points(self) -> Float[Array, "q d"]:
        """The quadrature nodes as unit vectors; a zonal basis has its axis along e_1."""

    @abc.abstractmethod
    def coordinates(self, x: Float[Array, "n d"]) -> Float[Array, "n ..."]:
        """Unit vectors [n, d] in the form that `evaluate`, `gradient` and `moments` take."""

    @property
    @abc.abstractmethod
    def weights(self) -> Float[Array, " q"]:
        """The quadrature weights, of sum 1."""

    @abc.abstractmethod
    def analyze(self, values: Float[Array, "*batch q"]) -> Float[Array, "*batch k"]:
        """The coefficients of the projection on the basis of a function with these node values."""

    @abc.abstractmethod
    def synthesize(self, coeffs: Float[Array, "*batch k"]) -> Float[Array, "*batch q"]:
        """The values at the nodes."""

    @abc.abstractmethod
    def evaluate(self, coeffs: Float[Array, " k"], x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The values at points."""

    @abc.abstractmethod
    def gradient(self, coeffs: Float[Array, " k"], x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The gradients at points."""

    @abc.abstractmethod
    def node_gradient(self, coeffs: Float[Array, " k"]) -> Float[Array, "q ..."]:
        """The gradients at the nodes: `gradient` there, by the transform."""

    @abc.abstractmethod
    def moments(
        self, x: Float[Array, "n ..."], w: Float[Array, "..."] | None = None
    ) -> Float[Array, " k"]:
        """sum_j w_j Y_i(x_j): the coefficients of a particle cloud, by default of weights 1/n."""

    @property
    @abc.abstractmethod
    def _metric(self) -> Float[Array, " q"]:
        """The weights of the nodes in the inner product of two `node_gradient`s."""

    @property
    def size(self) -> int:
        """The number k of coefficients."""
        return len(self.degrees)

    @property
    def eigenvalues(self) -> Float[Array, " k"]:
        """lambda = l(l + d - 2) of minus the Laplacian, for the degree l of each coefficient."""
        return jnp.asarray(self._eigenvalues(float))

    def multipliers(
        self,
        profile: Callable[[Float[Array, " m"]], Float[Array, " m"]],
        *,
        dtype: Any = float,
        resolution: int = 512,
    ) -> Float[Array, " k"]:
        """The multipliers of the convolution with f(<x, y>) (the Funk-Hecke formula).

            a_l = int f(t) P_l(t) w(t) dt,    P_l(1) = 1,    f * Y = a_l Y for Y of degree l.

        `profile` is f, on an array of polar cosines of the given dtype; derivatives with respect to
        parameters that it closes over pass through. The integral is a Gauss rule of
        `resolution` + degree nodes: relative to a_0 it is exact to 2e-14 for
        e^{beta (t - 1)} with 0 <= beta <= 1000 and 2 <= d <= 768; a kink in f costs that accuracy.
        Write such a profile with t - 1: e^{beta t} overflows.
        """
        check_callable(
            profile, "profile", "pass a function of polar cosines, such as jax.numpy.exp"
        )
        resolution = check_integer(resolution, "resolution")
        rule = funk_hecke_rule(self.d, self.degree, resolution + self.degree)
        t, matrix = (jnp.asarray(table, dtype=dtype) for table in rule)
        return jnp.matmul(matrix, profile(t), precision="highest")[self.degrees]

    def convolve(
        self, coeffs: Float[Array, "*batch k"], multipliers: Float[Array, " k"]
    ) -> Float[Array, "*batch k"]:
        """The coefficients of int f(<x, y>) rho(y) dy, from the `multipliers` of f."""
        return self._check_coeffs(coeffs) * self._check_coeffs(multipliers)

    def heat(
        self, coeffs: Float[Array, "*batch k"], t: Float[Array, ""] | float
    ) -> Float[Array, "*batch k"]:
        """The solution at time t >= 0 of d_t rho = Laplacian rho: e^{-lambda t} c, exactly."""
        coeffs = self._check_coeffs(coeffs)
        t = check_nonnegative(t, "t").astype(coeffs.dtype)
        return jnp.exp(-self._eigenvalues(coeffs.dtype) * t) * coeffs

    @compiled
    def product(
        self, a: Float[Array, "*batch k"], b: Float[Array, "*batch k"]
    ) -> Float[Array, "*batch k"]:
        """The coefficients of the pointwise product, exact up to the degree of the basis."""
        return self.analyze(self.synthesize(a) * self.synthesize(b))

    @compiled
    def inner(self, a: Float[Array, "q ..."], b: Float[Array, "q ..."]) -> Float[Array, ""]:
        """int <A, B> of two fields like `node_gradient`."""
        products = jax.vmap(lambda u, v: jnp.sum(u * v))(a, b)
        return jnp.sum(self._metric.astype(products.dtype) * products)

    @compiled
    def node_divergence(self, field: Float[Array, "q ..."]) -> Float[Array, " k"]:
        """The coefficients -int <F, grad Y_i> of div F, for a field F like `node_gradient`.

        It is minus the adjoint of `node_gradient` under the quadrature, so that integration by parts
        holds to rounding and coefficient 0 is exactly 0: the divergence conserves mass.
        """
        weighted = jax.vmap(jnp.multiply)(self._metric.astype(field.dtype), field)
        zero = jax.ShapeDtypeStruct((self.size,), field.dtype)
        return -jax.linear_transpose(self.node_gradient, zero)(weighted)[0]

    @compiled
    def divergence(self, rho: Float[Array, " k"], phi: Float[Array, " k"]) -> Float[Array, " k"]:
        """The coefficients of div(rho grad phi), exact up to the degree; the first is exactly 0."""
        return self.node_divergence(
            jax.vmap(jnp.multiply)(self.synthesize(rho), self.node_gradient(phi))
        )

    def _eigenvalues(self, dtype) -> np.ndarray:
        return (self.degrees * (self.degrees + self.d - 2)).astype(dtype)

    def _check_coeffs(self, coeffs: Float[Array, "*batch k"]) -> Float[Array, "*batch k"]:
        coeffs = check_precision(as_array(coeffs, "coeffs"), "coeffs")
        if coeffs.ndim == 0 or coeffs.shape[-1] != self.size:
            raise ValueError(
                f"expected {self.size} coefficients for {self}, got shape {list(coeffs.shape)}; "
                "make them with basis.analyze(values)."
            )
        return coeffs

    def _check_values(self, values: Float[Array, "*batch q"]) -> Float[Array, "*batch q"]:
        count = len(self.weights)
        if values.ndim == 0 or values.shape[-1] != count:
            raise ValueError(
                f"expected {count} values at the nodes of {self}, got shape {list(values.shape)}; "
                "evaluate your function at basis.nodes."
            )
        return values


def check_degree(degree) -> int:
    """`degree` as an int that is at least 1."""
    whole = isinstance(degree, int | np.integer) and not isinstance(degree, bool)
    if not whole or not 1 <= degree <= LARGEST:
        got = shown(degree)
        raise ValueError(f"expected an integer degree >= 1, got {got}; pass degree=16, say.")
    return int(degree)


def circle_points(degree: int) -> int:
    """The number of equispaced angles: enough for products of three, and quick to transform."""
    return cast(int, scipy.fft.next_fast_len(3 * degree + 1, real=True))


def check_columns(x: Float[Array, "..."], d: int) -> Float[Array, "n d"]:
    """`x` as points [n, d]; that they are unit vectors is not checked."""
    x = check_precision(as_array(x, "x"), "x")
    if x.ndim != 2 or x.shape[1] != d:
        raise ValueError(
            f"expected unit vectors of shape [n, {d}], got {list(x.shape)}; put one point a row."
        )
    return x


def cloud_weights(x: Float[Array, "n ..."], w: Float[Array, "..."] | None) -> Float[Array, " n"]:
    """`w`, or equal weights of sum 1."""
    n = x.shape[0]
    if w is None:
        return jnp.full(n, 1 / n, x.dtype)
    if w.shape != (n,):
        raise ValueError(f"expected w of shape [{n}], got {list(w.shape)}; pass one a point.")
    return w


def rounded(table: np.ndarray, dtype, name: str) -> np.ndarray:
    """A host table in the given dtype, refused where it leaves its range."""
    largest = float(np.abs(table).max())
    if not largest < float(np.finfo(dtype).max):
        raise ValueError(
            f"expected harmonics within the range of {np.dtype(dtype).name}, got {largest:.0e} for "
            f"{name}; pass float64 arrays, or lower the degree."
        )
    table = table.astype(dtype)
    table.flags.writeable = False
    return table
