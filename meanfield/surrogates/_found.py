"""What is found out about a document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._shown import OneLine

if TYPE_CHECKING:
    from ._surrogate import Surrogate
    from .fits import Fit


@dataclass(frozen=True, repr=False)
class Checked(OneLine):
    """What was found in a document: a sentence for each disagreement, none where it is `ok`."""

    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


@dataclass(frozen=True, repr=False)
class Discovered(OneLine):
    """Equations that were found in measurements.

    - `surrogate`: the document with them, tagged as new; `equations`: with their fitted numbers.
    - `fit` of them, and `before`: that of the document's own, to the same data.
    - `gain`: by how much the mean logarithm of the density of held-out data rises, with its standard
      `error`; `weak`: whether derivatives were avoided by the weak form.
    """

    surrogate: "Surrogate"
    equations: dict[str, str]
    fit: "Fit"
    before: "Fit"
    gain: float
    error: float
    weak: bool

    @property
    def accepted(self) -> bool:
        """Whether held-out data are predicted better than by the document, by two standard errors."""
        return self.gain > 2 * self.error

    def shown(self) -> Mapping[str, Any]:
        """What is printed of it."""
        gain = f"{self.gain:.3g} +- {self.error:.2g}"
        return {**self.equations, "gain": gain, "accepted": self.accepted}
