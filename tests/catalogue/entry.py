"""One valid call of a public name, and what the contracts have to know about it."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from catalogue.kinds import KIND_OF

ASIDE = "viz", "io", "studies", "latents", "surrogates"
"""Rooms that compute nothing from traced clouds: recordings are numpy's."""
SAME_SIZE = ("coincident",)
"""The degenerate clouds for a call with other arguments that have a row a point."""
PAIRS = ("coincident", "antipodal")
"""Those for a call about pairs of points."""
LIGHT = """to_tangent exp log extend analyze synthesize evaluate gradient node_gradient moments
    multipliers heat convolve on_density on_quantiles total average plan solve problem log_mass
    mean_field gaussian_field all_pairs bias velocity dissipation minimum ratio wasserstein_gradient"""


@dataclass(frozen=True)
class Later:
    """An argument that takes a while to make."""

    make: Callable[[], Any]


@dataclass(frozen=True)
class Entry:
    """A public name, a call of it that is right, and traits that contracts read.

    `kinds`: what each parameter takes, where its name alone does not say (see kinds.py); None leaves
    the parameter out of the table of wrong arguments. `fine`: wrong arguments that are right here,
    as (parameter, label). `clouds`: pairs (points, weights) of parameters to which points of mass
    zero can be added. `single`: multiples of epsilon by which float32 and float64 may differ,
    relative to the size of the numbers; None where the result holds no numbers to compare, as by default
    in the rooms `ASIDE`.
    `collapses`: the degenerate clouds for which the result is finite, with its gradient.
    `slow`: compiled for seconds, so that contracts on numbers ask for it in `make validate` alone.
    """

    name: str
    call: Callable[..., Any]
    args: Mapping[str, Any]
    kinds: Mapping[str, str | None] = field(default_factory=dict)
    fine: frozenset[tuple[str, str]] = frozenset()
    clouds: tuple[tuple[str, str], ...] = ()
    single: float | None = 1000.0
    collapses: tuple[str, ...] = ("coincident", "antipodal", "one point")
    slow: bool = False

    @property
    def room(self) -> str:
        """The room that the name belongs to."""
        return self.name.partition(".")[0]

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """The arguments, with those made that take a while to make."""
        return {k: v.make() if isinstance(v, Later) else v for k, v in self.args.items()}

    @cached_property
    def value(self) -> Any:
        """What the valid call returns."""
        return self.call(**self.arguments)

    def kind(self, parameter: str) -> str | None:
        """The kind of a parameter."""
        return self.kinds.get(parameter, KIND_OF.get(parameter))

    def optional(self, parameter: str) -> bool:
        """Whether None is what the parameter is by default."""
        default = inspect.signature(self.call).parameters.get(parameter)
        return default is not None and default.default is None

    @property
    def light(self) -> bool:
        """Whether it is a method that is called within loops, such as one of a basis: its types are
        those of the object that has it, and only numbers are checked by the contracts."""
        parts = self.name.split(".")
        return len(parts) > 2 and parts[2] in LIGHT.split()

    @property
    def makes(self) -> bool:
        """Whether the call makes an object, rather than computing from numbers."""
        return inspect.isclass(self.call)


def entry(name: str, call: Callable | None = None, /, **options) -> Entry:
    """An entry whose arguments and traits are keywords; `call` for a method of an object."""
    traits = {k.rstrip("_"): options.pop(k) for k in [*options] if k.endswith("_")}
    room, _, thing = name.partition(".")
    if room in ASIDE:
        traits.setdefault("single", None)
    if call is None:
        call = getattr(importlib.import_module(f"meanfield.{room}"), thing)
    if "fine" in traits:
        traits["fine"] = frozenset(traits["fine"])
    return Entry(name, call, options, **traits)
