from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._checks import check_finite, check_weights, is_concrete, shown
from ..._door import AbstractChecked, door
from ..._hooks import all_of, times_of
from ..._typing import Clouds, Scalar
from ...geometry import AbstractGeometry
from .._base import AbstractParticles, as_strength
from ._gates import AbstractGate
from ._models import several_models
from ._pulls import AbstractPull, BarycenterPull

Gate = Callable[..., Float[Array, "..."]]
Strength = Scalar | Callable[[Scalar, Any], Scalar]


class ConsensusFlow(AbstractParticles):
    """N models, each with its flow, pulled toward the Wasserstein barycenter of all.

        x_i' = flow_i(x_i) + strength gate_i u_i,    u_i = T_{i -> bar} - id

    T_{i -> bar} is the optimal map from the cloud of model i to the barycenter, and u_i minus the
    Wasserstein gradient in that cloud of min_bar sum_j w_j W2^2(rho_j, bar), over 2 w_i: strength > 0
    attracts, at the rate `strength`: alone, it closes a share 1 - e^{-strength t} of a gap;
    strength < 0 repels. None of models that all have the same cloud is pulled.

    With `PairwisePull` or `ExactPull` u_i is the mean over models of the displacement from i to j
    instead, sum_j w_j T_ij - id: the same for two models, and wherever optimal maps compose (on the
    line, for Diracs, for shifted and scaled copies of a law), cheaper, and off by some percent elsewhere.

    The state is [N, n, d]. A model of fewer tokens has a flow with `weights`, 0 for tokens that only
    fill up.

    - `flows`: N flows of clouds [n, d] on one geometry, without radii; noise of one strength.
    - `strength`: a number, or a function of (t, args), such as `Schedule(times)`.
    - `gate`: when to pull; None for always, `Early(t0)`, `NearSaddles(rate)`, or a function of
      (t, x [N, n, d], velocities of the models' own [N, n, d]) that returns a number or one a model.
    - `pull`: `BarycenterPull()` by default, `PairwisePull()` or `ExactPull()`. Where its iterations do
      not converge the drift is NaN, and a run says so. Where strength or gate are 0 it is not asked for.
    - `shares`: the weights w of the models, of sum 1, uniform by default. A model of share 0 follows.

    Raises ValueError for flows that do not fit together.
    Source: this control is ours; barycenters are those of Agueh and Carlier (2011),
    doi:10.1137/100805741, and the step to them that of Alvarez-Esteban, del Barrio, Cuesta-Albertos,
    Matran, arXiv 1511.05355.
    """

    flows: tuple[AbstractParticles, ...]
    strength: Strength
    gate: Gate | None
    pull: AbstractPull
    shares: Float[Array, " models"] | None

    def __init__(
        self,
        flows: Sequence[AbstractParticles],
        strength: Strength | float,
        gate: Any = None,
        *,
        pull=None,
        shares: Float[Array, " models"] | None = None,
    ):
        self.flows = _check_flows(flows)
        self.strength = as_strength(strength, "strength")
        self.gate = _check_gate(gate)
        self.pull = BarycenterPull() if pull is None else pull
        self.shares = None if shares is None else check_weights(shares, len(self.flows), "shares")

    @property
    def geometry(self) -> AbstractGeometry:
        return self.flows[0].geometry

    @property
    def noise(self) -> Scalar | None:
        return self.flows[0].noise

    @property
    def weights(self) -> None:
        return None

    def masses(self, x: Clouds) -> Float[Array, "models n"] | None:
        """The masses of the tokens of each model; None if all are equal."""
        if all(flow.weights is None for flow in self.flows):
            return None
        equal = jnp.full(x.shape[1], 1 / x.shape[1], x.dtype)
        own = [equal if f.weights is None else f.weights.astype(x.dtype) for f in self.flows]
        return jnp.stack(own)

    @door
    def control(self, t: Scalar, x: Clouds, args: Any = None) -> Clouds:
        """What is added to the models' own velocities: strength gate u [N, n, d]."""
        x = self._of_all(x, "x")
        return self._control(t, x, self._own(t, x, args), args)

    @door
    def power(self, t: Scalar, x: Clouds, args: Any = None) -> Scalar:
        """sum_i w_i mean |control_i|^2: its integral over time is the effort of a run."""
        square = jnp.sum(self.control(t, x, args) ** 2, axis=-1)
        masses, shares = self.masses(x), self._shares(x)
        each = square.mean(axis=1) if masses is None else (masses * square).sum(axis=1)
        return shares @ each

    def drift(self, t: Scalar, state: Clouds, args: Any) -> Clouds:
        models, n, d = state.shape

        def field(u):
            x = u.reshape(models, n, d)
            own = self._own(t, x, args)
            return (own + self._control(t, x, own, args)).reshape(-1, d)

        return self.geometry.extend(field, state.reshape(-1, d)).reshape(state.shape)

    def _own(self, t: Scalar, x: Clouds, args: Any) -> Clouds:
        pairs = zip(self.flows, x, strict=True)
        return jnp.stack([flow.drift(t, cloud, args) for flow, cloud in pairs])

    def _control(self, t: Scalar, x: Clouds, own: Clouds, args: Any) -> Clouds:
        strength = self.strength(t, args) if callable(self.strength) else self.strength
        gate = self._gate(t, x, own, self.masses(x))
        scale = jnp.asarray(strength).astype(x.dtype) * gate.reshape(-1, 1, 1)
        # Nobody asks for a pull that nobody feels, which takes time and may have no answer.
        wanted = jnp.any(scale != 0)
        pull = _pull_if(wanted, self, x)
        return jnp.where(scale == 0, 0, scale * pull)

    def _pull(self, x: Clouds) -> Clouds:
        return self.pull(self.geometry, x, self._shares(x), self.masses(x))

    def _gate(self, t: Scalar, x: Clouds, own: Clouds, masses) -> Float[Array, "..."]:
        if self.gate is None:
            return jnp.ones((), x.dtype)
        known = isinstance(self.gate, AbstractGate)
        return self.gate(t, x, own, masses) if known else self.gate(t, x, own)

    def _shares(self, x: Clouds) -> Float[Array, " models"]:
        models = len(self.flows)
        return (
            jnp.full(models, 1 / models, x.dtype)
            if self.shares is None
            else self.shares.astype(x.dtype)
        )

    def project(self, state: Clouds) -> Clouds:
        return self.geometry.project(state)

    def check(self, state: Any) -> Clouds:
        x = self._of_all(check_finite(state, "x0"), "x0")
        return jnp.stack([flow.check(cloud) for flow, cloud in zip(self.flows, x, strict=True)])

    def _of_all(self, x: Array, name: str) -> Clouds:
        """`x`, if it holds a cloud for each flow."""
        if x.ndim != 3 or x.shape[0] != len(self.flows):
            raise ValueError(
                f"expected clouds {name} [{len(self.flows)}, n, d], one a flow, got {list(x.shape)}; "
                "stack them, and fill up smaller ones with tokens of weight 0."
            )
        return x

    def jumps(self) -> Float[Array, " jumps"] | None:
        parts = (*self.flows, self.gate) if isinstance(self.gate, AbstractGate) else self.flows
        return times_of(part.jumps() for part in parts)

    def solved(self, t: Scalar, state: Clouds, args: Any) -> Bool[Array, ""] | None:
        pairs = zip(self.flows, state, strict=True)
        own = all_of(flow.solved(t, x, args) for flow, x in pairs)
        control = self._control(t, state, self._own(t, state, args), args)
        return all_of([own, jnp.isfinite(control).all()])

    def reweight(self, weights) -> "ConsensusFlow":
        raise ValueError(
            "expected one cloud, got those of several models, which do not merge; leave out merge, "
            "and give weights to each flow."
        )


def _check_gate(gate: Any) -> Any:
    """None, a gate, or a function that is no object of another room."""
    plain = callable(gate) and not isinstance(gate, type | AbstractChecked)
    if not (gate is None or isinstance(gate, AbstractGate) or plain):
        raise ValueError(
            f"expected a gate, got {shown(gate)}; pass Early(t0), NearSaddles(rate), or a function, as in "
            "gate=lambda t, x, own: t < 1."
        )
    return gate


def _check_flows(flows: Sequence[AbstractParticles]) -> tuple[AbstractParticles, ...]:
    flows = several_models(flows)
    if not all(_one_strength(flow.noise, flows[0].noise) for flow in flows):
        raise ValueError(
            "expected noise of one strength in all flows, got several; pass noise=0.1 to each."
        )
    return flows


def _one_strength(first: Scalar | None, second: Scalar | None) -> bool:
    """Whether two noises may be equal; numbers that are traced may."""
    if first is None or second is None:
        return first is second
    return not (is_concrete(first) and is_concrete(second)) or float(first) == float(second)


@eqx.filter_jit
def _pull_if(wanted: Bool[Array, ""], flow: ConsensusFlow, x: Clouds) -> Clouds:
    return jax.lax.cond(wanted, lambda x: flow._pull(x), jnp.zeros_like, x)
