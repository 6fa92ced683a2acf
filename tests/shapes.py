"""A session of many shapes: `shapes.py COUNT`; prints the most memory maps that it had, and how often
programs were dropped."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp

import meanfield as mf

dropped, clear = [], jax.clear_caches
jax.clear_caches = lambda: (dropped.append(1), clear())

sphere = mf.geometry.Sphere(3)
flow = mf.dynamics.AttentionFlow(sphere, mf.attention.Softmax(2.0))
x = sphere.sample(jax.random.key(0), int(sys.argv[1]) + 2)
most = 0
for n in range(2, len(x)):
    final = mf.simulate(flow, x[:n], jnp.array([0.0, 0.1])).final
    assert final.shape == (n, 3)
    if Path("/proc/self/maps").exists():
        most = max(most, Path("/proc/self/maps").read_text().count("\n"))
print(most, len(dropped))
