from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Points
from ...attention.kernels import Softmax
from ...dynamics.particles import AttentionFlow, PeriNorm, PostNorm, PreNorm
from ...geometry import Sphere
from ...measures import VonMisesFisher
from ...schemes import TransformerLayers
from ...solve import rollout, simulate
from ..machinery import Claim, Study, order_of, some_of

SOURCE = "a layer is explicit Euler, split in two with an MLP: Hairer, Lubich, Wanner (2006), II.5"
NORMALIZATIONS = {"Post": PostNorm(), "Pre": PreNorm(), "Peri": PeriNorm()}
MLP = Callable[[Float[Array, " d"]], Float[Array, " d"]]


@dataclass(frozen=True, kw_only=True)
class Depth(Study):
    """Transformers of finite depth against their flow: an error of order 1/layers.

    A time t_end is cut into `depths` layers of step h = t_end / layers. The error is the root mean
    square angle between the directions of layers and flow at t_end, over the root mean square
    angle that tokens have turned; it falls like h for Post, Pre and Peri, with and without an MLP
    (a random two-layer perceptron). `layers_for_percent` is the depth at which the fitted line
    crosses 1 %.

    Source: layers as in Xiong et al., arXiv 2002.04745, and their limits as in Karagodin, Ge, Polyanskiy,
    Rigollet, arXiv 2510.22026; the order is that of Euler's method.
    """

    normalizations: tuple[str, ...] = ("Post", "Pre", "Peri")
    """Where the normalization stands."""
    mlp: tuple[bool, ...] = (False, True)
    """Without and with a feed-forward layer after attention."""
    depths: tuple[int, ...] = field(default=(32, 64, 128, 256, 512), metadata={"count": 3})
    """Numbers of layers up to t_end, three or more."""
    n: int = 32
    """Tokens."""
    d: int = 8
    """Ambient dimension."""
    beta: float = 2.0
    """Inverse temperature of the softmax."""
    width: int = 32
    """Width of the perceptron."""
    t_end: float = 2.0
    """Time that the layers cover."""

    GRID: ClassVar = {"normalization": "normalizations", "mlp": "mlp"}
    QUANTITIES: ClassVar = {
        "error": "error over the angle turned",
        "turned": "root mean square angle turned [rad]",
        "order": "fitted order in the layers",
        "layers_for_percent": "layers at which the error is 1 %",
        "step": "step of a layer",
        "mlp": "whether there is an MLP",
    }

    def compute(self, cell: dict) -> xr.Dataset:
        x0 = VonMisesFisher(jnp.eye(self.d)[0], 1.0).sample(jax.random.key(self.seed), self.n)
        mlp = self._perceptron() if cell["mlp"] else None
        limit = self._flow(cell["normalization"], mlp, x0)
        layers = self._layers(cell["normalization"], mlp, x0)
        angle = Sphere(self.d).distance
        error = np.sqrt(np.mean(np.square([angle(x, limit) for x in layers]), axis=1))
        turned = np.sqrt(np.mean(np.square(angle(x0, limit))))
        return xr.Dataset(
            {
                "error": ("layers", error / turned),
                "turned": ((), turned),
            },
            {"layers": list(self.depths)},
        )

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        whole = super().assemble(parts)
        step = (self.t_end / whole.layers).rename("step")
        fit = order_of(step, whole.error, "layers")
        percent = np.ceil(self.t_end / (0.01 / fit.constant) ** (1 / fit.order))
        return whole.assign(fit.drop_vars("constant")).assign(layers_for_percent=percent, step=step)

    def tiny(self) -> "Depth":
        kept = {"normalizations": some_of(self.normalizations, ("Post", "Peri"))}
        return replace(self, **kept, mlp=self.mlp[-1:], depths=(32, 64, 128), n=8, t_end=1.0)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        return [self._claim(cell, dataset.sel(cell)) for cell in self.cells()]

    def _claim(self, cell: dict, one: xr.Dataset) -> Claim:
        name = f"{cell['normalization']}, {'with' if cell['mlp'] else 'without'} MLP"
        error = float(one.order_error)
        # The next term, of order h^2, bends the line by less than a tenth at these depths.
        return Claim.close(f"{name}: order in the step (se {error:.3f})", one.order, 1, 0.1, SOURCE)

    def _perceptron(self) -> MLP:
        """x -> B tanh(A x), with normal A and B that give outputs of length about one."""
        first, second = jax.random.split(jax.random.key(self.seed + 1))
        a = jax.random.normal(first, (self.width, self.d))
        b = jax.random.normal(second, (self.d, self.width)) / np.sqrt(self.width * self.d / 2)
        return jax.tree_util.Partial(_perceptron, a, b)

    def _flow(self, name: str, mlp: MLP | None, x0: Points) -> Points:
        """The directions at t_end in the limit of thin layers."""
        sphere, kind = Sphere(self.d), NORMALIZATIONS[name]
        flow = AttentionFlow(sphere, Softmax(self.beta), kind, mlp=mlp)
        start = (x0, jnp.ones(self.n)) if kind.radial else x0
        final = simulate(flow, start, jnp.asarray([0.0, self.t_end]), tol=1e-9).final
        return sphere.project(final[0] if isinstance(final, tuple) else final)

    def _layers(self, normalization: str, mlp: MLP | None, x0: Points) -> list[Points]:
        """The directions at t_end at each depth."""
        kind, found = NORMALIZATIONS[normalization], []
        for depth in self.depths:
            h = jnp.asarray(self.t_end / depth)
            layers = TransformerLayers(self.d, Softmax(self.beta), kind, h, mlp)
            # All run equally long, past t_end where layers are few: one program serves every depth.
            run = rollout(layers, x0, max(self.depths), observe={"x": Sphere(self.d).project})
            found.append(run.values["x"][depth])
        return found


def _perceptron(
    a: Float[Array, "p d"], b: Float[Array, "d p"], x: Float[Array, " d"]
) -> Float[Array, " d"]:
    return b @ jnp.tanh(a @ x)
