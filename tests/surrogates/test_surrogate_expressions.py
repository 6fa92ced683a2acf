"""Expressions are read by a grammar of their own: what is hostile is refused before it costs anything."""

import math
import resource
import time

import jax
import jax.numpy as jnp
import pytest

from meanfield.surrogates.expressions import (
    ExpressionError,
    read_expression,
    read_relation,
    value_of,
)

HOSTILE = {
    "imports": "__import__('os').system('true')",
    "attributes": "a.__class__.__mro__",
    "items": "a[0]",
    "lambdas": "lambda: a",
    "assignments": "(a := 2)",
    "comprehensions": "[a for a in a]",
    "choices": "a if b else a",
    "formats": "f'{a}'",
    "calls of names": "eval(a)",
    "calls of calls": "exp(a)(b)",
    "keywords": "exp(x=a)",
    "stars": "exp(*a)",
    "towers": "9**9**9**9",
    "huge powers": "a**1000000000",
    "hidden towers": "a**(b**(a**b))",
    "giant integers": "9" * 999,
    "giant floats": "1e999",
    "imaginary numbers": "1j*a",
    "truth": "True",
    "text": "'a'",
    "deep brackets": "(" * 450 + "a" + ")" * 450,
    "deep signs": "-" * 990 + "a",
    "deep functions": "exp(" * 190 + "a" + ")" * 190,
    "wide sums": "+".join(["a"] * 490),
    "long text": "a" * 10**7,
    "other characters": "a\x00b",
    "other letters": "\u0430*b",
    "comments": "a # b",
    "continued lines": "a\\\n+b",
    "unknown symbols": "a*c",
    "unfinished": "a*(b",
    "comparisons": "a > b",
    "remainders": "a % b",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused_in_bounded_time_and_memory(text):
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(ExpressionError, match=r"^expected [^\n]+, got [^\n]+; [^\n]+\.$"):
        read_expression(text, ["a", "b"])
    assert time.process_time() - start < 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kilobytes


def test_a_tower_of_constants_is_read_but_not_computed():
    start = time.process_time()
    expression = read_expression("a + (((9**32)**32)**32)**32 + exp(exp(exp(1000)))", ["a"])
    assert expression.free_symbols and time.process_time() - start < 0.5


VALUES = {"a": 0.3, "b": 1.7}
PYTHON = {
    name: getattr(math, name)
    for name in ["exp", "log", "sqrt", "sin", "cos", "tan", "atan", "sinh", "cosh", "tanh"]
}
PYTHON |= {"abs": abs, "min": min, "max": max, "step": lambda x: float(x >= 0)}


@pytest.mark.parametrize(
    "text",
    [
        *(
            f"{name}(a/b - b)"
            for name in ["exp", "sin", "cos", "tan", "atan", "sinh", "cosh", "tanh", "abs", "step"]
        ),
        *("log(b)", "sqrt(a*b)", "min(a, b)", "max(a, b)", "step(b - a)", "max(a - b, 0)"),
        *(
            "-a**2",
            "(-a)**2",
            "a - b - a",
            "a/b/a",
            "a*(b + 2)/(3 - a)",
            "b**-2",
            "b**(1/2)",
            "a**b",
        ),
        *("2**3*a", "-(a - b)", "+a", "1e-3*a", "a/(b/a)", "a - -b", "b**-(a/2)", "b**1.5"),
    ],
)
def test_values_are_those_of_python(text):
    values = {name: jnp.asarray(each) for name, each in VALUES.items()}
    found = value_of(read_expression(text, VALUES), values)
    # a few roundings of numbers about 1
    assert float(found) == pytest.approx(eval(text, {**PYTHON, **VALUES}), rel=1e-14, abs=1e-15)


def test_values_can_be_differentiated():
    expression = read_expression("a**3*exp(-a*b)", VALUES)
    slope = jax.grad(lambda a: value_of(expression, {"a": a, "b": jnp.asarray(2.0)}))(
        jnp.asarray(0.5)
    )
    # (3 a^2 - b a^3) e^{-ab} at a = 1/2, b = 2
    assert float(slope) == pytest.approx((0.75 - 0.25) * math.exp(-1.0), rel=1e-14)


def test_comparisons_have_two_sides():
    relation = read_relation("a <= b*2", VALUES)
    assert (str(relation.left), relation.sign, str(relation.right)) == ("a", "<=", "b*2")
    with pytest.raises(ExpressionError, match="a comparison"):
        read_relation("a < b < a", VALUES)
