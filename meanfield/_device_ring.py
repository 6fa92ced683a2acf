"""A ring of devices around which the shares of a sum travel."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int

from ._shown import AbstractShown


class Ring(AbstractShown):
    """The p devices along one axis of a mesh, each with a p-th of the rows of whatever is spread.

    Raises ValueError for a mesh with explicit axes, and for an axis that it has not.
    """

    mesh: Mesh = eqx.field(static=True)
    axis: str = eqx.field(static=True)

    def __init__(self, mesh: Mesh | None = None, axis: str | None = None):
        self.mesh = _check_mesh(
            Mesh(np.array(jax.devices()), ("tokens",)) if mesh is None else mesh
        )
        self.axis = self.mesh.axis_names[0] if axis is None else axis
        if self.axis not in self.mesh.axis_names:
            raise ValueError(
                f"expected an axis among {list(self.mesh.axis_names)}, got {self.axis!r}; "
                "name the axis of the mesh along which the tokens are spread."
            )

    @property
    def devices(self) -> int:
        """How many devices there are around the ring, p."""
        return self.mesh.shape[self.axis]

    def shard(self, x: Array) -> Array:
        """x with its rows spread over the devices; ValueError if their number is no multiple of p."""
        if (rest := x.shape[0] % self.devices) != 0:
            raise ValueError(
                f"expected a multiple of {self.devices} rows to spread over as many devices, got "
                f"{x.shape[0]}; drop {rest} or add {self.devices - rest}, or pass x as it is."
            )
        return jax.device_put(x, NamedSharding(self.mesh, PartitionSpec(self.axis)))

    def padded(self, a: Array) -> Array:
        """a with its last row repeated until the number of rows is a multiple of p."""
        rest = -a.shape[0] % self.devices
        return jnp.pad(a, [(0, rest)] + [(0, 0)] * (a.ndim - 1), mode="edge") if rest else a

    def around(
        self,
        visit: Callable[..., tuple[Any, Any]],
        own: Any,
        state: Any,
        bank: Any,
        common: Any = None,
    ) -> tuple[Any, Any]:
        """The last state and bank of `state, bank = visit(own, state, bank, common, owner)`.

        Everything but `common`, which each device has, is spread. At each of p steps a device is
        visited by the share of the bank that is `owner`'s, and hands it on; in the end all are home.
        What `visit` leaves as it is travels while `visit` computes.
        """
        p, axis = self.devices, self.axis
        here = PartitionSpec(axis)

        def share(own, state, bank, common):
            def step(carry, s):
                state, bank = visit(own, *carry, common, owner(s))
                return (
                    state,
                    jax.lax.ppermute(bank, axis, [(i, (i + 1) % p) for i in range(p)]),
                ), None

            def owner(s: Int[Array, ""]) -> Int[Array, ""]:
                return (jax.lax.axis_index(axis) - s) % p

            return jax.lax.scan(step, (state, bank), jnp.arange(p, dtype=jnp.int32))[0]

        specs = (here, here, here, PartitionSpec())
        spread = jax.shard_map(
            share, mesh=self.mesh, in_specs=specs, out_specs=(here, here), check_vma=False
        )
        return spread(own, state, bank, common)


def _check_mesh(mesh: Any) -> Mesh:
    if not isinstance(mesh, Mesh):
        raise ValueError(
            f"expected a jax.sharding.Mesh, got {type(mesh).__name__}; leave it out for all devices."
        )
    if any(kind != AxisType.Auto for kind in mesh.axis_types):
        raise ValueError(
            f"expected a mesh whose axes are Auto, got {mesh.axis_types}, on which x @ x.T is refused; "
            "pass axis_types=(jax.sharding.AxisType.Auto,) to jax.make_mesh, or leave the mesh out."
        )
    return mesh
