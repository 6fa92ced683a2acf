"""Transformers as interacting particle systems: the physics written once and run several ways."""

import importlib
from typing import TYPE_CHECKING, Any

from ._lazy import offers

if TYPE_CHECKING:
    from . import (
        attention as attention,
        dynamics as dynamics,
        energies as energies,
        games as games,
        geometry as geometry,
        harmonics as harmonics,
        landscape as landscape,
        latents as latents,
        measures as measures,
        observables as observables,
        schemes as schemes,
        studies as studies,
        surrogates as surrogates,
        transport as transport,
        viz as viz,
    )
    from .solve import (
        Trajectory as Trajectory,
        rollout as rollout,
        simulate as simulate,
        sweep as sweep,
    )

_look, _listed = offers(__name__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("meanfield-jax")
    return _look(name)


def __dir__() -> list[str]:
    return [*_listed(), "__version__"]
