from typing import Any

import jax
import jax.numpy as jnp

from ..costs import geometry


@jax.tree_util.register_pytree_node_class
class HeatGeometry(geometry.Geometry):
    """The heat kernel of a sphere between the nodes of a basis, as a kernel e^{-c/epsilon}.

        sum_j p_s(x_i, x_j) m_j = synthesize(e^{-lambda s} analyze(m/w))_i

    for masses m_j at nodes of the quadrature weights w_j: exact as far as m/w, times harmonics, is
    integrated by the nodes. Varadhan: -2 epsilon s log p_s -> epsilon d^2/2 as s -> 0.
    """

    def __init__(self, basis: Any, time: Any, epsilon: Any):
        super().__init__(epsilon=epsilon)
        self.basis, self.time = basis, time

    @property
    def shape(self) -> tuple[int, int]:
        q = self.basis.weights.shape[0]
        return q, q

    @property
    def dtype(self):
        return self.time.dtype

    def apply_kernel(self, vec, eps=None, axis: int = 0):
        coeffs = self.basis.analyze(vec / self.basis.weights.astype(vec.dtype))
        return self.basis.synthesize(self.basis.heat(coeffs, self.time))

    def apply_lse_kernel(self, f, g, eps, vec=None, axis: int = 0):
        h = f if axis == 0 else g
        top = jax.lax.stop_gradient(h.max())
        masses = jnp.exp((h - top) / eps)
        values = self.apply_kernel(masses if vec is None else vec * masses)
        # A sum of harmonics is rounded to eps of its largest value: what is below is noise.
        size = jnp.abs(values)
        floor = jnp.finfo(values.dtype).eps * jax.lax.stop_gradient(size.max())
        log = jnp.log(jnp.maximum(values if vec is None else size, floor))
        return top + eps * log, jnp.sign(values)

    def tree_flatten(self):
        return (self.time, self._epsilon_init), {"basis": self.basis}

    @classmethod
    def tree_unflatten(cls, aux_data, children):
        return cls(aux_data["basis"], *children)
