"""Orders of convergence, with intervals: the one fit of all studies."""

import numpy as np
import scipy
import xarray as xr


def order_of(
    size: xr.DataArray, error: xr.DataArray, dim: str, spread: xr.DataArray | None = None
) -> xr.Dataset:
    """The order p of error ~ constant size^p along a dimension: the least-squares line of the logarithms.

    `order`, its standard error `order_error`, the ends `order_low` and `order_high` of its 95 %
    confidence interval, and `constant`. With `spread`, the standard error of each error, the slope's
    follows from those, by the normal law; without, from what is left of the line, by Student's: NaN for
    two points. An error that is NaN makes all of them NaN.
    """
    h = xr.apply_ufunc(np.log, size)
    e = xr.apply_ufunc(np.log, error)
    centred = h - h.mean(dim)
    lever = centred / (centred**2).sum(dim)
    order = (lever * e).sum(dim, skipna=False)
    constant = e.mean(dim, skipna=False) - order * h.mean(dim)
    if spread is None:
        freedom = size.sizes[dim] - 2
        left = ((e - constant - order * h) ** 2).sum(dim, skipna=False)
        left = left / freedom if freedom else left * np.nan
        deviation, quantile = (
            np.sqrt(left * (lever**2).sum(dim)),
            scipy.special.stdtrit(freedom, 0.975),
        )
    else:
        deviation = np.sqrt(((lever * spread / error) ** 2).sum(dim, skipna=False))
        quantile = scipy.special.ndtri(0.975)
    reach = quantile * deviation
    values = {"order": order, "order_error": deviation, "constant": np.exp(constant)}
    return xr.Dataset(values | {"order_low": order - reach, "order_high": order + reach})
