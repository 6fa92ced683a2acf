"""What the benchmarks ran on."""

import os
import platform
import subprocess
from pathlib import Path

import jax

from meanfield.io import provenance
from meanfield.program import memory

from ._contest import Missing, need

ROOT = Path(__file__).parents[1]
PEERS = {
    "torch": "torch",
    "pykeops": "pykeops",
    "ot": "POT",
    "geomloss": "geomloss",
    "pde": "py-pde",
    "jax_finufft": "jax-finufft",
    "scipy": "scipy",
}


def machine() -> dict[str, str]:
    """The processor, its cores, the memory, the device of jax, and the versions of the peers."""
    device = jax.devices()[0]
    facts = {
        "processor": _processor(),
        "cores": str(
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        ),
        "memory": memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": f"{len(jax.devices())} x {device.platform} ({device.device_kind})",
        "jax": jax.__version__,
    }
    return facts | {package: _version(module, package) for module, package in PEERS.items()}


def describe(facts: dict[str, str]) -> str:
    """The machine and the version of jax, in a phrase."""
    host = f"{facts['processor']}, {facts['cores']} cores"
    # "1 x cpu (cpu)" are these cores again.
    device = "" if "cpu" in facts["device"].lower() else f"{facts['device']} beside "
    return f"{device}{host}, jax {facts['jax']}"


def checkout() -> dict[str, str]:
    """The commit, and whether sources differ from it, results and tables of an earlier run aside."""
    commit = provenance()["git_commit"]
    sources = ("meanfield", "benchmarks/*.py", "benchmarks/peers", "pyproject.toml")
    command = ["git", "status", "--porcelain", "--", *sources]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return {"git_commit": commit, "git_dirty": "unknown"}
    return {"git_commit": commit, "git_dirty": "yes" if done.stdout.strip() else "no"}


def _version(module: str, package: str) -> str:
    try:
        return need(module, package)
    except Missing:
        return "not installed"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
