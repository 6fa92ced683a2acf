"""Linear maps from the parameters of a family to its field at given points, and their adjoints.

Both have `apply(parameters [size]) -> field [n, d]` and its transpose `adjoint`; `penalized` [size] says
which parameters a ridge holds back, and `scale` is the mean of their squared features, in whose units
it is given.
"""

import numpy as np
from jaxtyping import Float

Flat = Float[np.ndarray, " size"]
Rows = Float[np.ndarray, "n d"]


class Columns:
    """A few fields, [n, d, size], each with its coefficient."""

    def __init__(self, fields: Float[np.ndarray, "n d size"], weights: Float[np.ndarray, " n"]):
        self.fields, self.size = fields, fields.shape[-1]
        self.penalized = np.ones(self.size)
        gram = np.einsum("nde,ndf,n->ef", fields, fields, weights) / len(fields)
        self.scale = float(np.trace(gram)) / self.size

    def apply(self, theta: Flat) -> Rows:
        """sum_k theta_k field_k."""
        return self.fields @ theta

    def adjoint(self, field: Rows) -> Flat:
        """The inner products of each field with another."""
        return np.einsum("nde,nd->e", self.fields, field)


class Affine:
    """M z + g at centred points z [n, d]; M is symmetric, free, or (None) absent.

    The parameters are the entries of M and then g, which no ridge holds back.
    """

    def __init__(self, z: Rows, weights: Float[np.ndarray, " n"], symmetric: bool | None):
        self.z, (self.n, self.d) = z, z.shape
        self.symmetric = symmetric
        entries = 0 if symmetric is None else self.d**2
        self.size = entries + self.d
        self.penalized = np.concatenate([np.ones(entries), np.zeros(self.d)])
        self.scale = float((weights[:, None] * z * z).sum()) / (self.n * self.d)

    def parts(self, theta: Flat) -> tuple[Float[np.ndarray, "d d"], Float[np.ndarray, " d"]]:
        """M and g."""
        g = theta[-self.d :]
        if self.symmetric is None:
            return np.zeros((self.d, self.d)), g
        matrix = theta[: -self.d].reshape(self.d, self.d)
        return ((matrix + matrix.T) / 2 if self.symmetric else matrix), g

    def apply(self, theta: Flat) -> Rows:
        """M z + g."""
        matrix, g = self.parts(theta)
        return np.broadcast_to(g, self.z.shape) if self.symmetric is None else self.z @ matrix.T + g

    def adjoint(self, field: Rows) -> Flat:
        """sum_i field_i z_i^T, made symmetric where M is, and sum_i field_i."""
        total = field.sum(axis=0)
        if self.symmetric is None:
            return total
        matrix = field.T @ self.z
        matrix = (matrix + matrix.T) / 2 if self.symmetric else matrix
        return np.concatenate([matrix.ravel(), total])


Operator = Columns | Affine
