"""Every test runs in float64, with strict dtype promotion, shapes checked and warnings as errors."""

import gc
import os
from importlib.metadata import version
from pathlib import Path

gc.set_threshold(100_000, 20, 50)  # before the imports, which make many objects and drop none

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_NUMPY_DTYPE_PROMOTION", "strict")
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".cache" / "jax")
)
# Even the least programs: there are thousands of them, which the workers then share.
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
# Nor do programs carry the lines of Python that each operation comes from, a tenth of their writing.
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")
# Four devices on one processor, for what runs on many; all else stays on the first. Most programs run
# once, so they are compiled the cheap way, which halves the time of all tests; those of users are held
# by test_canary.py, the demo and `make validate`, which sets its own flags.
_FLAGS = "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"
# Nor are they simplified until nothing changes, which takes ten rounds and more: one is enough.
_FLAGS += " --xla_disable_hlo_passes=simplification,reshape-mover,"
_FLAGS += "simplify-while-loops,while-loop-invariant-code-motion,while-loop-constant-sinking"
if [*map(int, version("jaxlib").split(".")[:2])] < [
    0,
    12,
]:  # later ones do not know this flag, and end
    # Nor are programs of a few lines split for compilers on many processors.
    _FLAGS += " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
os.environ.setdefault("XLA_FLAGS", _FLAGS)
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # more would wait for each other beside workers
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # XLA warns of each program read from its cache

import pytest
from units import ordered, unit

MOST_MAPS = 25_000
"""Memory maps of a process before it drops its compiled programs. Linux allows 65,530, past which XLA
crashes: each program holds several, and one file of tests may add 10,000."""


def pytest_addoption(parser):
    parser.addoption("--keep", action="store_true", help="keep what slow figures are drawn from")


def pytest_configure(config):
    """The process that only leads workers imports nothing, which takes seconds."""
    if not hasattr(config, "workerinput") and config.getoption("numprocesses", None):
        return
    from jaxtyping import install_import_hook

    # Everything that is imported from here on has its annotations checked at run time.
    install_import_hook("meanfield", "checked_types.when_called")
    import compiling
    import small_programs

    compiling.share_contexts()
    small_programs.compute_small_programs()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """The tests of a file run in one worker, where they share compiled programs."""
    from xdist.scheduler import LoadScopeScheduling

    class ByUnit(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit(nodeid)

    config.option.loadscopereorder = False  # they are in order already
    return ByUnit(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Long units go first."""
    items[:] = [items[k] for k in ordered([item.nodeid for item in items])]


@pytest.fixture(autouse=True, scope="module")
def bounded_programs():
    """Drops compiled programs after a file, once they are too many."""
    yield
    drop_programs()


@pytest.fixture(autouse=True)
def bounded_programs_of_slow_tests(request):
    """The same after each slow test, which may compile as many as a file of others."""
    yield
    if request.node.get_closest_marker("slow"):
        drop_programs()


def pytest_terminal_summary(terminalreporter):
    """How much the contracts over all public names covered, and how fast a page is."""
    for report in terminalreporter.stats.get("passed", []):
        for name, size in getattr(report, "user_properties", []):
            if name in ("contracts", "page"):
                terminalreporter.write_line(f"{report.nodeid.rpartition('/')[2]}: {size}")


def drop_programs():
    """Compiled programs are read again from their cache on disk."""
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_text().count("\n") > MOST_MAPS:
        import jax

        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Results of studies that several files of tests need: `shared(study)`."""
    from shared_results import (
        Shared,
    )  # here, since the process that only leads the workers needs none

    base = tmp_path_factory.getbasetemp()
    workers = "PYTEST_XDIST_WORKER" in os.environ
    return Shared((base.parent if workers else base) / "studies")


@pytest.fixture(scope="module")
def programs():
    """Events of compilers, as they come."""
    import jax

    found: list[str] = []

    def listen(event: str, _: float, **__):
        if event.endswith("backend_compile_duration"):
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    return found


@pytest.fixture
def getkey():
    """A function that returns a new random key at each call, the same ones in every run."""
    import jax

    key = jax.random.key(0)

    def get():
        nonlocal key
        key, out = jax.random.split(key)
        return out

    return get
