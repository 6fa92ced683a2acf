"""What a result was computed with, so that it can be computed again."""

import functools
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import jax

from .._door import door

NUMERICAL = (
    *("jax", "jaxlib", "numpy", "scipy"),
    *("diffrax", "equinox", "lineax", "optax", "optimistix", "ott-jax"),
)
"""Packages of which another version may compute other numbers."""
PACKAGES = ("meanfield-jax", *NUMERICAL, "xarray")


@functools.cache
@door
def version(package: str) -> str:
    """The installed version of `package`, or 'unknown'."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def software() -> dict[str, str]:
    """The versions that may change numbers: of the packages that compute, and Python's (its minor
    release: `sum` rounds otherwise since Python 3.12)."""
    minor = ".".join(platform.python_version_tuple()[:2])
    return {"python": minor} | {name: version(name) for name in NUMERICAL}


def provenance() -> dict[str, str]:
    """Versions, git commit, device, precision and time (UTC) of this process, as strings."""
    commit, dirty = _checkout()
    versions = {f"version_{name.replace('-', '_')}": version(name) for name in PACKAGES}
    return {
        **versions,
        "version_python": platform.python_version(),
        "git_commit": commit,
        "git_dirty": dirty,
        "device": _device(),
        "precision": precision(),
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def precision() -> str:
    """The type that floating-point numbers get now: 'float64' or 'float32'."""
    return jax.dtypes.canonicalize_dtype("float64").name


def _device() -> str:
    devices = jax.devices()
    return f"{len(devices)} x {devices[0].platform} ({devices[0].device_kind})"


@functools.cache
def _checkout() -> tuple[str, str]:
    """The commit that the package stands at, and whether files differ from it ('yes' or 'no')."""
    package = Path(__file__).resolve().parents[1]
    try:
        top = _git(package, "rev-parse", "--show-toplevel")
        # An installed copy may lie in the environment of somebody else's checkout.
        if Path(top).resolve() != package.parent:
            return "unknown", "unknown"
        changes = _git(package, "status", "--porcelain")
        return _git(package, "rev-parse", "HEAD"), "yes" if changes else "no"
    except (OSError, subprocess.SubprocessError):
        return "unknown", "unknown"


def _git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", *command], cwd=folder, capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout.strip()
