"""Transformers as interacting particle systems: the physics written once and run several ways."""

import importlib
import importlib.util
import pkgutil
from typing import TYPE_CHECKING

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

_VERBS = ("Trajectory", "rollout", "simulate", "sweep")


def __getattr__(name: str):
    # Rooms are imported when first used, so that the command line answers at once.
    if name in _VERBS:
        return getattr(importlib.import_module(".solve", __name__), name)
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("meanfield-jax")
    if not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    rooms = [room.name for room in pkgutil.iter_modules(__path__) if not room.name.startswith("_")]
    return sorted([*globals(), *_VERBS, *rooms, "__version__"])
