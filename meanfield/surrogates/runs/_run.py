"""The states of a document over its independent variable, at given values of its parameters."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from ...solve import SolveError, rollout, simulate
from ...solve.methods import Kvaerno5
from ..expressions import Expr, value_of
from ._fields import centres
from ._flow import Flow, Paths, surroundings
from ._model import Model
from ._scales import kinks_of, sizes_of
from ._starts import arguments as arguments, start_of as start_of
from ._switched import changed as _changed, switched
from ._tables import Tabulated

ADVICE = {
    "raise max_steps, loosen tol, or pass merge=1e-4 if tokens cluster": (
        "set method_selection.stiff to true where some rates are far larger than others, loosen "
        "method_selection.tolerance, or shorten modeling.independent"
    ),
    "shorten ts": "shorten modeling.independent",
}
"""What helps a document, where `simulate` has advice for callers of its own."""


def _itself(state):
    return state


def _second(state):
    return state[1]


def times(model: Model) -> np.ndarray:
    """The points of the independent variable at which states are saved."""
    axis = model.document.modeling.independent
    return np.linspace(axis.start, axis.stop, axis.points)


class Run(NamedTuple):
    """States [T, n, ...] at times [T], the values of parameters at each, and whether all went well; when
    conditions began to hold, and which, -1 for none."""

    ts: np.ndarray
    states: Array
    over: dict[str, Array]
    ok: Bool[Array, ""]
    times: Any = ()
    which: Any = ()


def solve(model: Model, changed: Mapping[str, Any], ts: np.ndarray, options: dict[str, Any]) -> Run:
    """The run over these increasing times, the start first.

    At events the solver stops; what they set holds after their time. `changed` are values of parameters,
    of inputs, or of states at the start; `options` are those of `simulate`.
    """
    args = arguments(model, changed)
    state = start_of(model, args, changed) if model.states else jnp.zeros(0)
    begin, end, found, ok = ts[0], ts[-1], [state[None]], jnp.asarray(True)
    over, happened = [(args, ts[:1])], []
    inside = [(at, values) for at, values in model.events if begin < at < end]
    for at, values in [*inside, (end, {})]:
        kept = ts[(ts > begin) & (ts <= at)]
        if model.switches:
            part = switched(model, state, begin, kept, at, args, options)
            found.append(part.states)
            over.append((args | part.over, kept))
            happened.append((part.times, part.which))
            ok, begin = ok & part.ok, at
            state, args = _changed(model, at, part.last, args | part.values, values)
            continue
        over.append((args, kept))
        if not model.states:
            found.append(jnp.zeros((len(kept), 0)))
            continue
        stops = np.unique(np.concatenate([[begin], kept, [at]]))
        states, good = _stretch(model, state, stops, args, options)
        found.append(states[1 : 1 + len(kept)])
        ok, begin = ok & good, at
        state, args = _changed(model, at, states[-1], args, values)
    times, which = (
        (jnp.concatenate(each) for each in zip(*happened, strict=True)) if happened else ((), ())
    )
    return Run(ts, jnp.concatenate(found), _spread(model, over), ok, times, which)


def _stretch(model: Model, state: Array, stops: np.ndarray, args: dict, options: dict[str, Any]):
    """States at the stops, and whether the run went well."""
    method, seen = model.document.method_selection, {"x": _itself}
    solver, flow = (
        Kvaerno5() if method.stiff else None,
        Flow(model, sizes_of(model), kinks_of(model, args)),
    )
    given = {"observe": seen, "tol": method.tolerance, "args": args, "solver": solver, **options}
    try:
        run = simulate(flow, flow.measured(state), jnp.asarray(stops), **given)
    except SolveError as error:
        said = str(error)
        for words, own in ADVICE.items():
            said = said.replace(words, own)
        raise SolveError(said) from None
    return jax.vmap(flow.natural)(run.values["x"]), run.ok


def _spread(model: Model, parts: list[tuple[dict, np.ndarray]]) -> dict[str, Array]:
    """The values of parameters at all times; an input that an event sets has its expression before."""
    names = dict.fromkeys(name for args, _ in parts for name in args)

    def along(name: str, args: dict, ts: np.ndarray) -> Array:
        if isinstance(args.get(name), Tabulated):
            return jax.vmap(args[name].at)(jnp.asarray(ts, float))
        if name in args:
            return jnp.broadcast_to(args[name], ts.shape)
        values = {**args, model.time: jnp.asarray(ts)}
        return jnp.broadcast_to(jnp.asarray(value_of(model.inputs[name], values), float), ts.shape)

    return {n: jnp.concatenate([along(n, args, ts) for args, ts in parts]) for n in names}


def solve_noisy(model: Model, changed: Mapping[str, Any], ts: np.ndarray, paths: int, key) -> Run:
    """Independent runs with noise, [T, n, paths], at evenly spaced times."""
    args = arguments(model, changed)
    start = start_of(model, args, changed)
    x0 = jnp.broadcast_to(start[:, None], (len(start), paths))
    step, gap = model.document.method_selection.step, ts[1] - ts[0]
    assert step is not None
    substeps = max(1, int(np.ceil(gap / step - 1e-9)))  # a quotient of whole numbers is rounded
    scheme = Paths(model, substeps, jnp.asarray(ts[0]), jnp.asarray(gap / substeps))
    first = (jnp.asarray(0.0), x0)
    run = rollout(scheme, first, len(ts) - 1, observe={"x": _second}, args={**args, "key": key})
    return Run(ts, run.values["x"], _spread(model, [(args, ts)]), run.ok)


def evaluate(model: Model, run: Run, expressions: Mapping[str, Expr]) -> dict[str, Array]:
    """Expressions [T, ...] along a run."""
    domain = model.document.modeling.domain
    x = None if domain is None else centres(domain)

    def at(t: Array, state: Array, args: dict) -> dict[str, Array]:
        values = surroundings(model, t, dict(zip(model.states, state, strict=True)), args, x)
        found = {
            name: jnp.asarray(value_of(each, values), float) for name, each in expressions.items()
        }
        return {name: jnp.broadcast_to(each, state.shape[1:]) for name, each in found.items()}

    return jax.vmap(at)(jnp.asarray(run.ts, float), run.states, run.over)
