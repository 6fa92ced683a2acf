"""What energies are asked about, checked at the door."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from .._checks import as_array, check_instance, check_weights
from .._typing import Points, Weights
from ..attention import AbstractAttention
from ..harmonics import AbstractBasis
from ._quantiles import LEAST, AbstractQuantiles


def check_precise(x, name: str):
    """`x` as an array of float32 or float64, traced or not."""
    x = as_array(x, name)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(
            f"expected real floating-point numbers in {name}, got {x.dtype}; cast with .astype(float)."
        )
    if jnp.finfo(x.dtype).bits < 32:
        raise ValueError(
            f"expected {name} in float32 or float64, got {x.dtype}; cast with .astype(jnp.float32)."
        )
    return x


def check_cloud(x, w=None) -> tuple[Points, Weights | None]:
    """`x` as points [n, d], and `w` as masses of them or None, in the dtype of x."""
    x = check_precise(x, "x")
    if x.ndim != 2 or x.shape[0] == 0:
        raise ValueError(f"expected x of shape [n, d], got {list(x.shape)}; put one point a row.")
    return x, None if w is None else check_weights(w, x.shape[0]).astype(x.dtype)


def check_coeffs(basis, coeffs, name: str = "coeffs"):
    """`coeffs` as the coefficients [k] of a density in `basis`."""
    remedy = "pass Fourier(degree), Gegenbauer(d, degree) or SphericalHarmonics(degree)"
    check_instance(basis, AbstractBasis, "a basis", remedy)
    coeffs = check_precise(coeffs, name)
    if coeffs.shape != (basis.size,):
        raise ValueError(
            f"expected {name} of shape [{basis.size}], got {list(coeffs.shape)}; "
            "use basis.analyze(values at basis.nodes)."
        )
    return coeffs


def check_row(domain, x):
    """`x` as positions [N] on `domain`."""
    check_instance(domain, AbstractQuantiles, "a domain of quantiles", "pass Line() or Circle()")
    x = check_precise(x, "x")
    if x.ndim != 1 or x.shape[0] < LEAST:
        raise ValueError(
            f"expected x of shape [N] with N >= {LEAST}, got {list(x.shape)}; pass the quantiles of a "
            "law at (arange(N) + 0.5)/N."
        )
    return x


def check_function(function: Any, name: str, example: str) -> Callable:
    """`function`, if it can be called on points: no class, attention or energy."""
    field = isinstance(function, type | AbstractAttention) or hasattr(function, "on_quantiles")
    if not callable(function) or field:
        kind = function.__name__ if isinstance(function, type) else type(function).__name__
        raise ValueError(
            f"expected a function for {name}, got {kind}; pass {example}, for instance."
        )
    return function
