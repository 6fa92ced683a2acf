import numpy as np
import pytest
import xarray as xr
from toys import Powers

from meanfield.studies.metastability._polygons import closed_form


@pytest.mark.parametrize("beta", [-1.3, 2.0])
def test_rates_of_polygons_are_second_derivatives(beta):
    """Of (1/2 beta k^2) sum_ij e^{beta cos(t_i - t_j) - |beta|} in mode m, by differences of h = 1e-3."""
    k, h = 5, 1e-3
    corners = 2 * np.pi * np.arange(k) / k

    def value(t):
        return np.exp(beta * np.cos(t[:, None] - t) - abs(beta)).mean() / (2 * beta)

    for m in (1, 2):
        mode = np.cos(m * corners)
        second = value(corners + h * mode) - 2 * value(corners) + value(corners - h * mode)
        # Masses 1/k; errors of order h^2 and of rounding over h^2
        rate = second / h**2 / (mode**2).mean()
        np.testing.assert_allclose(closed_form(k, beta)[m], rate, rtol=1e-4)


def test_cells_with_coordinates_of_their_own_leave_numbers_as_they_are():
    """A cell of two states and one of three: a number of a cell depends on the cell alone."""
    parts = [
        xr.Dataset({"energy": ("state", np.arange(m) + 0.5), "count": ((), m)}, {"state": range(m)})
        for m in (2, 3)
    ]
    study = Powers(bases=(2.0,), exponents=(1, 2))
    whole = study.assemble(parts)
    assert whole["count"].dims == ("base", "exponent")
    np.testing.assert_array_equal(whole["count"], [[2, 3]])
    np.testing.assert_array_equal(whole.energy.isel(base=0), [[0.5, 1.5, np.nan], [0.5, 1.5, 2.5]])
