"""Programs of studies: they say what failed, and call no host, so that jax keeps them on the disk."""

import ast
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import meanfield as mf
from meanfield.attention import Softmax
from meanfield.dynamics import AttentionFlow
from meanfield.geometry import Sphere
from meanfield.solve import SolveError
from meanfield.studies.machinery import program_of_runs

FLOW = AttentionFlow(Sphere(3), Softmax(2.0))
TS = jnp.array([0.0, 1.0])
STARTS = Sphere(3).sample(jax.random.key(0), 8).reshape(2, 4, 3)
STUDIES = Path(mf.__file__).parent / "studies"


def _ends(most: int):
    @program_of_runs
    def ends(starts):
        def one(x):
            run = mf.simulate(FLOW, x, TS, throw=False, max_steps=most)
            return run.final, run.ok

        return jax.lax.map(one, starts)

    return ends


def test_results_are_those_of_runs_and_failures_are_counted():
    ends = _ends(64)(STARTS)
    for x, end in zip(STARTS, ends, strict=True):
        assert jnp.abs(mf.simulate(FLOW, x, TS, max_steps=64).final - end).max() < 1e-12
    with pytest.raises(SolveError, match=r"^1 of 2 runs failed; run simulate by itself"):
        _ends(64)(STARTS.at[1].set(jnp.nan))
    with pytest.raises(SolveError, match=r"^2 of 2 runs failed"):
        _ends(1)(STARTS)


def _compiled(node: ast.AST) -> bool:
    """Whether a function is made a program of by its decorators."""
    names = [ast.unparse(one) for one in getattr(node, "decorator_list", [])]
    return any("jit" in name or name == "program_of_runs" for name in names)


def _verb(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("simulate", "rollout")


def _loud(node: ast.AST) -> bool:
    """Whether this is a call of a verb that may raise."""
    quiet = ("throw", "False")
    return _verb(node) and quiet not in [(k.arg, ast.unparse(k.value)) for k in node.keywords]


def _runs(node: ast.AST) -> bool:
    return any(map(_verb, ast.walk(node)))


def test_no_program_of_a_study_raises_by_itself():
    """Such a program calls the host, and is compiled anew in every process."""
    trees = {path: ast.parse(path.read_text()) for path in STUDIES.rglob("*.py")}
    programs = [
        (path, node) for path, tree in trees.items() for node in ast.walk(tree) if _compiled(node)
    ]
    assert len(programs) > 30
    loud = {
        f"{path.name}:{n.lineno}" for path, node in programs for n in ast.walk(node) if _loud(n)
    }
    assert loud == set()
    # Nor does one keep to itself how its runs went.
    blind = [(path.name, node) for path, node in programs if _runs(node)]
    blind = {f"{name}:{node.name}" for name, node in blind if ".ok" not in ast.unparse(node)}
    assert blind <= {"_covariances.py:_paths"}  # it tells when they ended
