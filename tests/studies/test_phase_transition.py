import numpy as np
import pytest
import xarray as xr

from meanfield.harmonics import Gegenbauer
from meanfield.studies.transitions._noise_sweeps import concentrated
from meanfield.studies.transitions._phase_transition import _sweep_claims


@pytest.mark.parametrize("d", [2, 8])
def test_a_sweep_starts_from_a_positive_density_of_known_width(d):
    basis = Gegenbauer(d, 32)
    coeffs = concentrated(basis)
    np.testing.assert_allclose(coeffs[1] / np.sqrt(d), np.exp(-0.3), rtol=1e-14)
    rho = basis.synthesize(coeffs)
    # Far from the peak the density is below the rounding of the sum: a few hundred eps of the peak.
    assert coeffs[0] == 1 and rho.min() > -500 * np.finfo(float).eps * rho.max()


@pytest.fixture
def toy():
    """A subcritical pitchfork, share = 1 + 2 R^2 - 4 R^4, whose fold is at (1.25, 1/2)."""
    r = np.linspace(0, 1, 101)
    share = np.arange(0.85, 1.4, 0.1)
    upper = np.sqrt((2 + np.sqrt(np.maximum(4 - 16 * (share - 1), 0))) / 8)
    order = np.stack([np.where(share < 1.25, upper, 0), np.where(share < 1, upper, 0)])
    return xr.Dataset(
        {
            "branch_share": ("point", 1 + 2 * r**2 - 4 * r**4),
            "branch_order": ("point", r),
            "first_order": ((), True),
            "rested": ((), True),
            "share": ("rung", share),
            "order": (("direction", "rung"), order),
        },
        {"beta": 1.0, "point": np.arange(101), "rung": np.arange(6)},
    )


def test_hysteresis_is_read_off_the_sweeps(toy):
    claims = _sweep_claims(toy)
    assert [claim for claim in claims if not claim.passed] == []
    heating, cooling = (claim for claim in claims if "last clustered" in claim.name)
    # Between 1.15 and 1.25 + .1/2, and between .95 and 1.05: half a spacing is what is known.
    np.testing.assert_allclose([heating.measured, cooling.measured], [1.2, 1.0], rtol=1e-12)
    assert claims[-1].measured == 2  # 1.05 and 1.15


def test_a_sweep_off_the_branch_fails(toy):
    toy["order"] = 1.01 * toy.order
    assert [c.name for c in _sweep_claims(toy) if not c.passed] == [
        "beta=1: density off the branch, noise"
    ]


def test_a_branch_that_ends_early_is_not_extrapolated(toy):
    # Up to R = .65 of states up to .76: a cubic in R, run on, would be off by 2 and more at shares of .9.
    kept = toy.point <= 65
    short = toy.assign({k: toy[k].where(kept) for k in ("branch_share", "branch_order")})
    assert float(toy.order.max()) > 0.7
    assert [claim for claim in _sweep_claims(short) if not claim.passed] == []
    short["order"] = toy.order.where(toy.order > 0.65, 1.05 * toy.order)
    assert [c.name for c in _sweep_claims(short) if "off the branch" in c.name and c.passed] == []
