"""What a law in closed form, a Gaussian or a density in harmonics, feels of an attention."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._density import (
        Smoothing as Smoothing,
        doubly_stochastic_potential as doubly_stochastic_potential,
        smoothed as smoothed,
        tilted_density as tilted_density,
    )
    from ._gaussian import (
        AffineField as AffineField,
        GaussianAttention as GaussianAttention,
        check_moments as check_moments,
        doubly_stochastic_gain as doubly_stochastic_gain,
        in_coordinates as in_coordinates,
        logit_matrix as logit_matrix,
        refuse_mask as refuse_mask,
        refuse_places as refuse_places,
    )

__getattr__, __dir__ = offers(__name__)
