"""What each variable of a result is: a name in words and a unit, in its attributes."""

import re
from collections.abc import Mapping

import xarray as xr

SHARED: Mapping[str, str] = {
    "angle": "angle [rad]",
    "attention": "kind of attention",
    "beta": "inverse temperature",
    "completed": "share of runs that ended well",
    "constant": "factor of the fitted power law",
    "converged": "whether the iteration converged",
    "d": "ambient dimension",
    "degree": "degree",
    "draw": "independent draw",
    "eps": "variance of the kernel",
    "epsilon": "regularization, in units of the mean cost",
    "fastest": "degree that grows fastest",
    "layer": "layer",
    "layers": "number of layers",
    "level": "level of refinement",
    "n": "number of tokens",
    "noise": "noise",
    "normalization": "kind of normalization",
    "order": "fitted order of convergence",
    "realization": "random start",
    "residual": "largest error of Sinkhorn's marginals",
    "rhs": "evaluations of the right-hand side",
    "seed": "seed",
    "start": "law at the start",
    "step": "step",
    "strength": "strength of the pull",
    "time": "time",
    "x": "tokens",
}
"""What means the same in every study; a unit stands in brackets, and is 1 where there is none."""
ENDINGS: Mapping[str, str] = {
    "_error": "standard error: {}",
    "_low": "lower end of its 95 % interval: {}",
    "_high": "upper end of its 95 % interval: {}",
    "_exact": "exact: {}",
    "_each": "of each text: {}",
}
"""What the end of a name says of the rest."""


def told(result: xr.Dataset, own: Mapping[str, str]) -> xr.Dataset:
    """`result` with `long_name`, and `units` where there are numbers, on all variables.

    A name in words is what `own` says, else what the variable's attributes say, else what the name
    means in every study; else it is the name itself.
    """
    result = result.copy()
    for name, variable in result.variables.items():
        attrs = variable.attrs
        words = _words(str(name), own) or attrs.get("long_name") or _words(str(name), SHARED)
        found = re.fullmatch(r"(.*?)(?: \[(.+)\])?", words or str(name).replace("_", " "))
        assert found is not None  # both parts may be empty
        attrs = {**attrs, "long_name": found[1]}
        if variable.dtype.kind in "iufc":
            attrs["units"] = found[2] or attrs.get("units", "1")
        result[name].attrs = attrs
    return result


def _words(name: str, known: Mapping[str, str]) -> str | None:
    if name in known:
        return known[name]
    for ending, words in ENDINGS.items():
        if name.endswith(ending) and (rest := known.get(name.removesuffix(ending))):
            return words.format(rest)
    return None
