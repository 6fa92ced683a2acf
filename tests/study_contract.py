"""What the result of every study must keep, wherever it is computed."""

import numpy as np
import xarray as xr

from meanfield.studies import Claim, Study
from meanfield.studies.machinery._claim import TELLING
from meanfield.studies.machinery._quantities import SHARED


def check_result(study: Study, result: xr.Dataset) -> None:
    """All claims pass, under different names, and none that no effect or a NaN would pass as well."""
    claims = study.claims(result)
    assert claims
    assert [claim for claim in claims if not claim.passed] == []
    assert len({claim.name for claim in claims}) == len(claims)
    # What no effect would pass says nothing.
    assert [c for c in claims if c.relation == "==" and _tells_nothing(c)] == []
    _check_that_all_is_named(study, result)
    _check_that_nan_passes_nothing(study, result, claims)


def _check_that_all_is_named(study: Study, result: xr.Dataset) -> None:
    """Each variable and coordinate says in words what it is, and numbers in which unit."""
    known = {**SHARED, **study.quantities()}
    for name, values in result.variables.items():
        attrs = values.attrs
        assert attrs.get("long_name"), name
        assert name in known or attrs["long_name"] != str(name).replace("_", " "), (
            f"say what {name} is"
        )
        assert values.dtype.kind not in "iufc" or attrs.get("units"), name


def _tells_nothing(claim: Claim) -> bool:
    return abs(claim.expected) > 1e-3 and claim.tolerance >= TELLING * abs(claim.expected)


def _check_that_nan_passes_nothing(study: Study, result: xr.Dataset, claims: list[Claim]) -> None:
    """Where every real number is a NaN, no claim passes but those that do not look at any."""
    floats = [name for name, values in result.data_vars.items() if values.dtype.kind == "f"]
    spoiled = result.assign({name: np.nan * result[name] for name in floats})
    try:
        made = study.claims(spoiled)
    except (ValueError, IndexError):
        return  # no claims at all
    same = {(claim.name, claim.measured) for claim in claims}
    assert [c for c in made if c.passed and (c.name, c.measured) not in same] == []
