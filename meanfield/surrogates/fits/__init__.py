"""Parameters fitted to measurements."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._compare import Compared as Compared, compare as compare
    from ._data import series_of as series_of
    from ._discovery import discover as discover, typeset as typeset
    from ._fit import Fit as Fit, fit as fit, log_likelihood as log_likelihood
    from ._posterior import Posterior as Posterior, posterior as posterior
    from ._profiles import Profile as Profile, profile as profile
    from ._residuals import unknowns_of as unknowns_of, with_slopes as with_slopes

__getattr__, __dir__ = offers(__name__)
