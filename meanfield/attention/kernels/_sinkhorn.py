import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from ..._checks import check_integer, check_scalar, check_weights, guard, shown
from ..._memory import kernel_is_quick
from ..._products import exact_products
from ..._typing import Masses, Matrix, Outputs, Points, Scalar, Sources
from ...harmonics import AbstractBasis
from ...transport.costs import (
    FORBIDDEN,
    DotProduct,
    SquaredEuclidean,
    SquaredGeodesic,
    point_geometry,
)
from ...transport.sinkhorn import Solution, log_mass, solve
from ..closures import (
    AffineField,
    check_moments,
    doubly_stochastic_gain,
    in_coordinates,
    logit_matrix,
    tilted_density,
)
from ..engines import (
    AbstractEngine,
    Blockwise,
    Dense,
    Sharded,
    apply_matrix,
    check_matrix,
    check_query_and_key,
    check_tokens,
)
from ..masks import AbstractMask, as_mask, check_fits
from ._base import AbstractDensityAttention
from ._columns import (
    PlacedLogits,
    check_columns,
    check_tau,
    exponent_of,
    given_columns,
    uniform_columns,
)
from ._softmax import Softmax

Potentials = tuple[Float[Array, " n"], Float[Array, " m"]]
"""The potentials f and g of a plan."""


class Sinkhorn(AbstractDensityAttention):
    """Doubly stochastic attention (Sinkformer): softmax whose columns are normalized too.

        field(x_i) = sum_j A_ij V y_j,    A_ij = w_j e^{f_i + g_j} k(Q x_i, K y_j)

    with f and g such that sum_j A_ij = 1 and sum_i w_i A_ij = w_j: w_i A_ij is a plan of masses w with
    itself. For equal masses, rows and columns of A all sum to one.

    - `beta`, `cost`: the kernel k is e^{beta <x, y>} for `DotProduct()`, and e^{-beta c/2} for a squared
      distance c: `SquaredEuclidean()`, `SquaredGeodesic()`. A Gaussian kernel e^{-|x-y|^2/(2 eps)} has
      beta = 1/eps. The first two costs differ by terms that f and g absorb: at convergence they are
      the same attention, not after a fixed number of iterations.
    - `query`, `key`, `value`: as for `Softmax`.
    - `columns` [m]: other sums, n b_j, of sum n, for n queries; 0 leaves a key out. They exist
      where positive weights on the allowed pairs have them: for `causal(n)`, equal masses, if
      c_1 + ... + c_k > k for every k < n. Weights then depend on tokens behind: a causal mask makes no
      causal model, and one that is trained to tell the next token reads the future (`causal_characters`):
      for that there is `Prefixes`.
    - `tau`: how much columns matter, 0 to infinity, which is the default: the penalty tau KL(b' | b) on
      column sums b', beside the KL between plan and kernel, has the exponent tau/(1 + tau) in
      the iteration. 0 is `Softmax`, with the same mask.
    - `iterations`: None iterates until row and column sums are right to `tol`; if they are not after
      `max_iterations`, it raises, and under jit the field is NaN. A number k takes k iterations of
      columns, then rows, after a first one of rows, which is softmax of keys of masses b_j (the kernel
      K^{2k+1} of the source).
    - `engine`: `Dense()`, `Blockwise(block)`, `Sharded(mesh)`, or None to choose by size: O(n + m) memory
      beyond n = 4096 in float64 (`engine_for(n)` says which).

    Without query and key, self-attention iterates symmetrically: one product with the kernel each, 13 to
    19 of them whatever beta > 0. `attention.solve(x)` has potentials, residual and iterations, takes
    potentials to start from (as `dynamics.SinkhornFlow` does along a trajectory), and `plan(x)` the
    matrix A. Derivatives are those of the exact plan (implicit function theorem); with
    `iterations` they pass through each of these. In a mass that is 0 they are 0, as in `transport.solve`.

    On R^d with V = -beta I, plus the drift beta x (a potential -beta |x|^2/2), the field is the velocity
    (x - E[y|x])/eps, which tends to -(1/2) grad log rho for eps -> 0: d_t rho = (1/2) Laplacian rho. It
    is minus the Wasserstein gradient of `energies.Sinkformer(beta)`.

    Raises ValueError for columns that do not exist, saying why (beyond 250,000 pairs for `causal` and
    `alibi` alone: elsewhere the iteration does not converge), a mask that does not fit, other engines,
    matrices that do not fit, and beta <= 0 with a distance. A density and a Gaussian cloud have no mask.
    Source: Sander, Ablin, Blondel, Peyre, arXiv 2110.11773; masks and columns are ours.
    """

    beta: Scalar = eqx.field(converter=lambda b: check_scalar(b, "beta"))
    query: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "query"))
    key: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "key"))
    value: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "value"))
    mask: AbstractMask | None = eqx.field(default=None, converter=as_mask)
    cost: Any = DotProduct()
    iterations: int | None = eqx.field(
        default=None, static=True, converter=lambda k: _check_count(k)
    )
    tol: Scalar = eqx.field(default=1e-6, converter=lambda t: check_scalar(t, "tol"))
    max_iterations: int = eqx.field(
        default=2000, static=True, converter=lambda k: check_integer(k, "max_iterations")
    )
    engine: AbstractEngine | None = None
    columns: Float[Array, " m"] | None = eqx.field(
        default=None, kw_only=True, converter=check_columns
    )
    tau: Scalar | None = eqx.field(default=math.inf, kw_only=True, converter=check_tau)

    def __check_init__(self):
        check_query_and_key(self.query, self.key)
        if not isinstance(self.cost, DotProduct | SquaredEuclidean | SquaredGeodesic):
            raise ValueError(
                f"expected a cost for Sinkhorn attention, got {shown(self.cost)}; "
                "pass DotProduct(), SquaredEuclidean() or SquaredGeodesic()."
            )
        if not isinstance(self.engine, Dense | Blockwise | Sharded | None):
            raise ValueError(
                f"expected engine Dense(), Blockwise() or Sharded() for Sinkhorn attention, got "
                f"{type(self.engine).__name__}; leave it out to choose by size."
            )
        guard(self.tol, self.tol > 0, "expected tol > 0, got less; pass tol=1e-6, say.")
        if not isinstance(self.cost, DotProduct):
            message = "expected beta > 0 for a kernel e^{-beta c/2}; use DotProduct() for others."
            guard(self.beta, self.beta > 0, message)
        if self.columns is not None and self.mask is not None:
            given_columns(self.mask, self.columns, None, None, *self.mask.shape, self.tau is None)

    @exact_products
    def __call__(self, x: Points, y: Sources | None = None, w: Masses | None = None) -> Outputs:
        return self.field(self.solve(x, y, w), x if y is None else y)

    def field(self, solution: Solution, y: Sources) -> Outputs:
        """The field of the m points y at the points for which `solve` found the plan."""
        field = solution.average(apply_matrix(self.value, y, "value"))
        if self.mask is not None:
            field = jnp.where(_blind(solution)[:, None], 0, field)
        if self.iterations is not None:
            return field
        guard(
            field,
            solution.converged,
            "expected a plan of the given rows and columns, got one whose sums are not right to tol "
            "after max_iterations; raise max_iterations or tol, lower beta, or set iterations=k.",
        )
        return jnp.where(solution.converged, field, jnp.nan)

    def solved(
        self, x: Points, y: Sources | None = None, w: Masses | None = None
    ) -> Bool[Array, ""] | None:
        return None if self.iterations is not None else self.solve(x, y, w).converged

    @exact_products
    def solve(
        self,
        x: Points,
        y: Sources | None = None,
        w: Masses | None = None,
        init: Potentials | None = None,
    ) -> Solution:
        """The plan between x and y (x itself by default), its residual and its iterations.

        `init` are potentials (f, g) of a plan nearby, such as those of an earlier `solve`, or, along a run in
        equal steps, 2 f - f_before of the last two: with `causal(n)`, 4,096 tokens on S^2 and steps of .1
        these take 7 iterations at beta = 8 and 10 at 20, of two products each; from none it takes 12
        and 17.
        """
        x, y = check_tokens(x, "x"), None if y is None else check_tokens(y, "y")
        w = None if w is None else check_weights(w, len(x if y is None else y))
        alone, plain = y is None, self.query is None and self.key is None and not self._placed()
        y = x if y is None else y
        a = w if alone else None
        soft = {} if self.tau is None else {"tau_b": exponent_of(self.tau.astype(x.dtype))}
        return solve(
            self.geometry(x, y, w),
            a,
            self._drawn(len(x), len(y), a, w, x.dtype),
            tol=self.tol,
            max_iterations=self.max_iterations,
            iterations=self.iterations,
            init=init,
            symmetric=alone and plain and self.iterations is None,
            **soft,
        )

    @exact_products
    def plan(
        self, x: Points, y: Sources | None = None, w: Masses | None = None
    ) -> Float[Array, "n m"]:
        """The whole matrix A of weights: its rows sum to one exactly, or are 0 where a token of no mass
        sees none."""
        solution = self.solve(x, y, w)
        rows = solution.conditional()
        return rows if self.mask is None else jnp.where(_blind(solution)[:, None], 0, rows)

    def engine_for(self, n: int, m: int | None = None, dtype: DTypeLike = float) -> AbstractEngine:
        """The engine that will sum n queries against m keys (m = n by default) of this precision."""
        n, m = check_integer(n, "n"), check_integer(n if m is None else m, "m")
        quick = kernel_is_quick(n, m, jnp.result_type(dtype).itemsize)
        return self.engine or (Dense() if quick else Blockwise())

    def geometry(self, x: Points, y: Sources, w: Masses | None = None):
        """The costs that make the kernel, as `transport.solve` takes them."""
        beta, how = self.beta.astype(x.dtype), self._how()
        q, k = apply_matrix(self.query, x, "query"), apply_matrix(self.key, y, "key")
        dots = isinstance(self.cost, DotProduct)  # any beta, 0 and negative too
        epsilon = jnp.ones((), x.dtype) if dots else 2 / beta
        # What columns are not held to leaves the masses of the keys, as they are in softmax.
        log_w = None if w is None or self.tau is None else log_mass(w.astype(x.dtype))
        if self.mask is not None or log_w is not None:
            how["placed"] = PlacedLogits(self.mask, log_w, epsilon)
        return point_geometry(beta * q if dots else q, k, self.cost, epsilon=epsilon, **how)

    def _placed(self) -> bool:
        """Whether the plan is another one than that of masses with themselves."""
        return any(part is not None for part in (self.mask, self.columns, self.tau))

    def _drawn(self, n: int, m: int, a, w, dtype) -> Float[Array, " m"] | None:
        """The masses that the keys are to draw, of sum 1; None for uniform ones."""
        check_fits(self.mask, n, m)
        w = w if w is None else w.astype(dtype)
        if self.columns is not None:
            return given_columns(self.mask, self.columns, a, w, n, m, self.tau is None)
        if self.mask is None:
            return w
        return uniform_columns(self.mask, a, w, dtype, self._how())

    def _how(self) -> dict[str, Any]:
        """How sums are taken, in terms of `point_geometry`."""
        how: dict[str, Any] = {
            "dense": None if self.engine is None else isinstance(self.engine, Dense)
        }
        if isinstance(self.engine, Blockwise):
            how["block"] = self.engine.block
        if isinstance(self.engine, Sharded):
            how |= {"block": self.engine.engine.block, "ring": self.engine.ring}
        return how

    def mean_field(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Float[Array, "q ..."]:
        softmax = self.on_the_sphere()
        return softmax.mean_field(basis, tilted_density(self.beta, basis, coeffs))

    def attraction(
        self, basis: AbstractBasis, coeffs: Float[Array, " k"], x: Float[Array, "m ..."]
    ) -> Float[Array, " m"]:
        softmax = self.on_the_sphere()
        return softmax.attraction(basis, tilted_density(self.beta, basis, coeffs), x)

    def gaussian_field(self, mean: Float[Array, " d"], cov: Float[Array, "d d"]) -> AffineField:
        """The field of the cloud N(m, S): field(x) = V (m + M (x - m)), M of `doubly_stochastic_gain`."""
        self._need_dot_products("a Gaussian cloud")
        mean, cov = check_moments(mean, cov)
        gain = doubly_stochastic_gain(logit_matrix(self.beta, self.query, self.key, mean), cov)
        value = in_coordinates(self.value, mean, "value")
        return AffineField(value @ mean, value @ gain)

    def on_the_sphere(self) -> Softmax:
        """The softmax of the same kernel, in which g becomes a part of the density."""
        self._need_dot_products("a density on the sphere")
        return Softmax(self.beta, self.query, self.key, self.value)

    def _need_dot_products(self, what: str) -> None:
        if self._placed():
            raise ValueError(
                f"expected no mask, columns or tau for {what}, whose tokens have no order; "
                "leave them out, or simulate the particles with AttentionFlow."
            )
        if self.iterations is not None or not isinstance(self.cost, DotProduct | SquaredEuclidean):
            raise ValueError(
                f"expected cost DotProduct() or SquaredEuclidean(), iterated to convergence, for "
                f"{what}; leave out cost and iterations, or simulate particles with AttentionFlow."
            )


def _check_count(iterations) -> int | None:
    return None if iterations is None else check_integer(iterations, "iterations", 0)


def _blind(solution: Solution) -> Bool[Array, " n"]:
    """The queries that see no key of mass."""
    return solution.f > FORBIDDEN / 10 * solution.epsilon
