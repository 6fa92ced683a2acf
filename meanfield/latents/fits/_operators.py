"""Linear maps from the parameters of a family to what it says of steps, sqrt(h) P_x b, and their adjoints.

Both have `apply(parameters [size]) -> tangent field [n, d]` and its transpose `adjoint`, of tangent fields;
`penalized` [size] says which parameters a ridge holds back, and `scale` is the mean of the squared
features of b, in whose units it is given. They are made of points x [n, d] and the times h [n] of steps.
"""

import numpy as np
from jaxtyping import Float

Flat = Float[np.ndarray, " size"]
Rows = Float[np.ndarray, "n d"]
Times = Float[np.ndarray, " n"]


class Columns:
    """A few fields, [n, d, size], each with its coefficient; they are made tangent where they stand."""

    def __init__(self, fields: Float[np.ndarray, "n d size"], x: Rows, times: Times):
        self.shape, self.size = x.shape, fields.shape[-1]
        self.penalized = np.ones(self.size)
        fields *= np.sqrt(times)[:, None, None]
        self.scale = float(np.vdot(fields, fields)) / (len(fields) * self.size)
        fields -= x[..., None] * np.einsum("nde,nd->ne", fields, x)[:, None]
        self._flat = fields.reshape(-1, self.size)

    def apply(self, theta: Flat) -> Rows:
        """sum_k theta_k field_k."""
        return (self._flat @ theta).reshape(self.shape)

    def adjoint(self, field: Rows) -> Flat:
        """The inner products of each field with another."""
        return self._flat.T @ field.ravel()


class Affine:
    """M z + g at centred points z [n, d]; M is symmetric, free, or (None) absent.

    The parameters are the entries of M and then g, which no ridge holds back.
    """

    def __init__(self, x: Rows, z: Rows, times: Times, symmetric: bool | None):
        self.x, self.z, (self.n, self.d) = x, z, z.shape
        self.roots, self.symmetric = np.sqrt(times)[:, None], symmetric
        entries = 0 if symmetric is None else self.d**2
        self.size = entries + self.d
        self.penalized = np.concatenate([np.ones(entries), np.zeros(self.d)])
        self.scale = float(np.einsum("n,nd,nd->", times, z, z)) / (self.n * self.d)

    def parts(self, theta: Flat) -> tuple[Float[np.ndarray, "d d"], Float[np.ndarray, " d"]]:
        """M and g."""
        g = theta[-self.d :]
        if self.symmetric is None:
            return np.zeros((self.d, self.d)), g
        matrix = theta[: -self.d].reshape(self.d, self.d)
        return ((matrix + matrix.T) / 2 if self.symmetric else matrix), g

    def apply(self, theta: Flat) -> Rows:
        """sqrt(h) P_x (M z + g)."""
        matrix, g = self.parts(theta)
        said = np.broadcast_to(g, self.z.shape) if self.symmetric is None else self.z @ matrix.T + g
        said = self.roots * said
        said -= np.einsum("nd,nd->n", self.x, said)[:, None] * self.x
        return said

    def adjoint(self, field: Rows) -> Flat:
        """sum_i sqrt(h_i) field_i z_i^T, made symmetric where M is, and sum_i sqrt(h_i) field_i."""
        field = self.roots * field
        total = field.sum(axis=0)
        if self.symmetric is None:
            return total
        matrix = field.T @ self.z
        matrix = (matrix + matrix.T) / 2 if self.symmetric else matrix
        return np.concatenate([matrix.ravel(), total])


Operator = Columns | Affine
