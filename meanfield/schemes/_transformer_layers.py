from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
from jaxtyping import Array, Float

from .._checks import check_dimension, check_points, check_scalar, guard
from .._hooks import all_of
from .._typing import Points, Scalar
from ..attention.kernels import AbstractAttention
from ._base import AbstractScheme


@runtime_checkable
class Residual(Protocol):
    """A normalization that has the form of a layer: `PostNorm()`, `PreNorm()` or `PeriNorm()`."""

    def layer(self, x: Points, f: Callable[[Points], Points], step: Scalar) -> Points:
        """The tokens after one residual sum with f."""
        ...


def _as_residual(normalization) -> Residual:
    if isinstance(normalization, type) or not isinstance(normalization, Residual):
        raise ValueError(
            "expected PostNorm(), PreNorm() or PeriNorm(), got another normalization; "
            "the others exist as flows: use AttentionFlow."
        )
    return normalization


class TransformerLayers(AbstractScheme):
    """The residual architecture whose thin limit is `AttentionFlow`: one step is one layer.

    Post: x <- N(x + h f(x));   Pre: x <- x + h f(N(x));   Peri: x <- x + h N(f(N(x)))

    first with f = attention, then with f = `mlp` on each token, where N(x) = x/|x| is layer
    normalization without gains (RMS normalization up to a factor sqrt(d)). With h -> 0 the
    directions N(x) follow the flow of the same normalization, and with the same `mlp`, up to an error
    of order h: in R^d, Pre tends to x' = f(N(x)) + mlp(N(x)), Peri to x' = N(f(N(x))) + N(mlp(N(x))).

    - `attention`: any; `normalization`: `PostNorm()`, `PreNorm()` or `PeriNorm()` of `dynamics`.
    - `step_size`: h > 0, 1 in a plain transformer; `mlp`: None or a map from one point [d] to [d].

    The state is [n, d], nonzero tokens; their radii are |x|. `stats` has `converged` for an attention
    that iterates, such as `Sinkhorn`.
    Raises ValueError for another normalization, a step <= 0 or a start of the wrong shape.
    Source: Xiong et al., arXiv 2002.04745 (Post-LN, Pre-LN); Karagodin, Ge, Polyanskiy, Rigollet,
    arXiv 2510.22026 (Peri-LN, limits).
    """

    d: int = eqx.field(static=True, converter=lambda d: check_dimension(d, least=2))
    attention: AbstractAttention
    normalization: Residual = eqx.field(converter=_as_residual)
    step_size: Scalar = eqx.field(default=1.0, converter=lambda h: check_scalar(h, "step_size"))
    mlp: Callable[[Float[Array, " d"]], Float[Array, " d"]] | None = None

    def __check_init__(self):
        guard(
            self.step_size, self.step_size > 0, "expected step_size > 0; pass 1 for a plain layer."
        )

    def step(self, state: Points, args: Any) -> tuple[Points, dict[str, Array]]:
        h, seen = self.step_size.astype(state.dtype), []

        def attend(x: Points) -> Points:
            seen.append(self.attention.solved(x))
            return self.attention(x)

        state = self.normalization.layer(state, attend, h)
        if self.mlp is not None:
            state = self.normalization.layer(state, jax.vmap(self.mlp), h)
        converged = all_of(seen)
        return state, {} if converged is None else {"converged": converged}

    def project(self, state: Points) -> Points:
        return state

    def remedy(self) -> str:
        return (
            "take a smaller step_size or fewer steps where tokens grow, and where an attention iterates "
            "raise its max_iterations or its tol"
        )

    def check(self, state) -> Points:
        state = check_points(state, self.d, "x0")
        nonzero = (state**2).sum(axis=-1).all()
        return guard(state, nonzero, "expected nonzero tokens in x0, got a zero; drop it.")
