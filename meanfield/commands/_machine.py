"""The machine beneath: precision, compilation cache, and whether this jax can be trusted."""

import contextlib
import os
import platform
from importlib.util import find_spec
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from .._memory import device_memory, machine_memory
from ..io import provenance, version

HEARTBEAT = 60
"""Seconds without a sign of life after which jax takes a process of a cluster for dead."""
# jax issue 39103: jitted code computes wrong numbers on the CPU.
WRONG_JAX = ("0.10.2",)
NUFFT = "not installed: it makes sums over many tokens on S^2 far faster; pip install 'meanfield-jax[nufft]'"


def prepare(float32: bool = False, distributed: bool = False) -> None:
    """Turns on float64 (unless `float32`), the persistent compilation cache, and, if `distributed`,
    the processes of a cluster, which jax reads from the environment.

    Raises ValueError under a version of jax that computes wrong numbers, and outside of a cluster.
    """
    if jax.__version__ in WRONG_JAX:
        raise ValueError(
            f"expected a jax that computes right numbers, got {jax.__version__} (jax issue 39103); "
            f"do pip install 'jax!={jax.__version__}'."
        )
    jax.config.update("jax_enable_x64", not float32)
    if (folder := cache_folder()) is not None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    if distributed:
        _join_cluster()


def _join_cluster() -> None:
    try:
        # A process that is killed must not take the rest with it: they compute what it leaves.
        jax.config.update("jax_enable_recoverability", True)
        jax.distributed.initialize(heartbeat_timeout_seconds=HEARTBEAT)
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f"expected a cluster that jax knows, got none ({error}); start the command by srun, mpirun, "
            "on a TPU pod or on Kubernetes, or leave out --distributed."
        ) from error


def leave_cluster(wait: bool) -> None:
    """Parts from the other processes; the first, with whom jax ends them all, last if it is to `wait`."""
    if wait and jax.process_index() == 0:
        # Returns when each of the others has left or is dead. What it may raise is that some have.
        with contextlib.suppress(Exception), multihost_utils.live_devices(jax.devices()):
            pass
    jax.distributed.shutdown()  # left to the end of the interpreter, it may hang


def cache_folder() -> Path | None:
    """Where compiled programs are kept, or None where nothing can be written.

    $JAX_COMPILATION_CACHE_DIR, else $XDG_CACHE_HOME/meanfield/jax, else ~/.cache/meanfield/jax.
    """
    try:
        chosen = os.environ.get("JAX_COMPILATION_CACHE_DIR")
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(chosen) if chosen else Path(home) / "meanfield" / "jax"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # Path.home() raises RuntimeError where there is none
        return None
    return folder if os.access(folder, os.W_OK) else None


def canary() -> int:
    """How many rows of |A r|^2 differ between compiled and plain code; 0 where jax is sound."""
    rng = np.random.default_rng(0)
    a, rows = jnp.asarray(rng.normal(size=(3, 3))), jnp.asarray(rng.normal(size=(40_000, 12, 3)))
    norms = jax.vmap(jax.vmap(lambda r: jnp.sum((a @ r) ** 2)))
    compiled, plain = np.asarray(jax.jit(norms)(rows)), np.asarray(norms(rows))
    # A sum of nine products rounds a few times; the wrong rows were off by up to 8e-3.
    close = np.isclose(compiled, plain, rtol=64 * np.finfo(plain.dtype).eps)
    return int(np.count_nonzero(~close.all(axis=1)))


def memory() -> str:
    """The memory of the device and of the machine, in GiB."""
    known = {"device": device_memory(), "machine": machine_memory()}
    parts = [f"{name} {size / 2**30:.1f} GiB" for name, size in known.items() if size]
    return ", ".join(parts) or "unknown"


def report() -> tuple[dict[str, str], bool]:
    """What there is to know about this machine, and whether results can be trusted on it."""
    wrong = canary()
    good_jax = jax.__version__ not in WRONG_JAX
    facts = {"meanfield": version("meanfield-jax"), "platform": platform.platform()}
    facts |= {name.removeprefix("version_"): value for name, value in provenance().items()}
    facts |= {
        "compile_cache": str(cache_folder() or "none: the folder cannot be written"),
        "memory": memory(),
        "extra_nufft": "installed" if find_spec("jax_finufft") else NUFFT,
        "jax_version": "good" if good_jax else "known to compute wrong numbers; install another",
        "jit_equals_eager": "yes" if wrong == 0 else f"NO: {wrong} of 40000 rows differ",
    }
    return facts, wrong == 0 and good_jax
