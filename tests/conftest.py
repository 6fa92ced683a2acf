"""Every test runs in float64, with strict dtype promotion, shapes checked and warnings as errors."""

import os
from pathlib import Path

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_NUMPY_DTYPE_PROMOTION", "strict")
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".cache" / "jax")
)
# Even the least programs: there are thousands of them, which the workers then share.
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
# Four devices on one processor, for what runs on many; all else stays on the first.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # XLA warns of each program read from its cache

from jaxtyping import install_import_hook

# Everything that is imported from here on has its annotations checked at run time.
install_import_hook("meanfield", "beartype.beartype")

import jax
import pytest


@pytest.fixture
def getkey():
    """A function that returns a new random key at each call, the same ones in every run."""
    key = jax.random.key(0)

    def get():
        nonlocal key
        key, out = jax.random.split(key)
        return out

    return get
