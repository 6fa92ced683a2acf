import math
from dataclasses import dataclass, field

from ..._checks import shown

TELLING = 0.5
"""The share of an effect below which a tolerance that samples set still tells it from none."""


@dataclass(frozen=True)
class Claim:
    """One number held against a theorem, an exact solution or a published value.

    passed = |measured - expected| <= tolerance          relation '=='
             measured <= expected + tolerance            relation '<=', made by `at_most`
             measured >= expected - tolerance            relation '>=', made by `at_least`

    `tolerance` is absolute and `passed` follows from the numbers: it cannot be set. A NaN never
    passes. `source` says where the expected value comes from: author, year, equation or theorem.

    Raises ValueError if expected is NaN, the tolerance negative or not finite, the source empty.
    """

    name: str
    measured: float
    expected: float
    tolerance: float
    source: str
    relation: str = "=="
    passed: bool = field(init=False)

    def __post_init__(self):
        numbers = self.measured, self.expected, self.tolerance
        known = all(isinstance(n, float) or (type(n) is int and abs(n) < 2**53) for n in numbers)
        if not known or not isinstance(self.name, str):
            got = ", ".join(map(shown, (self.name, *numbers)))
            raise ValueError(f"expected a name and numbers for a claim, got {got}; pass floats.")
        if math.isnan(self.expected) or not 0 <= self.tolerance < math.inf:
            raise ValueError(
                f"expected a number and a finite tolerance >= 0 for the claim {self.name!r}, got "
                f"{self.expected} and {self.tolerance}; state what theory says and why so closely."
            )
        if not isinstance(self.source, str) or not self.source:
            raise ValueError(f"expected a source for the claim {self.name!r}; say who proved it.")
        object.__setattr__(self, "passed", self._holds())

    @classmethod
    def close(cls, name: str, measured, expected, tolerance, source: str) -> "Claim":
        """That |measured - expected| <= tolerance."""
        return cls(name, float(measured), float(expected), float(tolerance), source)

    @classmethod
    def telling(
        cls, name: str, measured, expected, tolerance, source: str, effect=None
    ) -> "list[Claim]":
        """That |measured - expected| <= tolerance, if samples tell it; else no claim.

        For tolerances that follow from the spread of samples. They have to be below half of `effect`,
        what there is to see, by default |expected|: otherwise the claim would hold of data without
        it. A NaN among the numbers is a claim that fails.
        """
        effect = abs(float(expected if effect is None else effect))
        numbers = float(measured), float(tolerance), effect
        if any(math.isnan(number) for number in numbers):
            return [cls.close(name, math.nan, expected, 0.0, source)]
        if not float(tolerance) < TELLING * effect:
            return []
        return [cls.close(name, measured, expected, tolerance, source)]

    @classmethod
    def at_most(cls, name: str, measured, bound, source: str, tolerance=0.0) -> "Claim":
        """That measured <= bound + tolerance."""
        return cls(name, float(measured), float(bound), float(tolerance), source, "<=")

    @classmethod
    def at_least(cls, name: str, measured, bound, source: str, tolerance=0.0) -> "Claim":
        """That measured >= bound - tolerance."""
        return cls(name, float(measured), float(bound), float(tolerance), source, ">=")

    @classmethod
    def holds(cls, name: str, fact, source: str) -> "Claim":
        """That a fact is true, as the number 1. A NaN is no fact."""
        number = float(fact)
        return cls(name, number if math.isnan(number) else float(bool(number)), 1.0, 0.0, source)

    def _holds(self) -> bool:
        excess = self.measured - self.expected  # every comparison with a NaN is false
        if self.relation == "<=":
            return excess <= self.tolerance
        if self.relation == ">=":
            return excess >= -self.tolerance
        return abs(excess) <= self.tolerance
