from jaxtyping import Array, Float

from ..._checks import check_finite


def check_start(x0, models: int) -> Float[Array, "models *shape"]:
    """Where the models of an exact game are at the start: a row each."""
    x0 = check_finite(x0, "x0")
    if x0.ndim == 0 or x0.shape[0] != models:
        raise ValueError(
            f"expected x0 of shape [{models}, n], got {list(x0.shape)}; pass one row a model."
        )
    return x0
