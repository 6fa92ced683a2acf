"""A call outside of jit compiles nothing that an equal call before it has compiled."""

import catalogue
import jax
import pytest

# Not called: they need packages that tests may lack, or are tried by wrong arguments alone.
APART = {
    "latents.lens",
    "surrogates.from_petab",
    "surrogates.from_sbml",
    "surrogates.Surrogate.discover",
    "surrogates.Surrogate.export",
    "surrogates.Surrogate.posterior",
}
SOME = {"measures.VonMisesFisher.sample", "observables.clusters", "transport.adapted_chains"}


def _compiled_again(entry, programs: list[str]) -> int:
    """Programs of the second of two equal calls."""
    jax.block_until_ready(entry.call(**entry.arguments))
    programs.clear()
    jax.block_until_ready(entry.call(**entry.arguments))
    return len(programs)


@pytest.fixture(scope="module")
def programs():
    """Events of compilers, as they come."""
    found: list[str] = []

    def listen(event: str, _: float, **__):
        if event.endswith("backend_compile_duration"):
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    return found


@pytest.mark.parametrize(
    "room",
    [pytest.param(room, marks=pytest.mark.slow) for room in catalogue.ROOMS if room != "viz"],
)
def test_nothing_is_compiled_twice(room, programs):
    names = [e for e in catalogue.entries([room]) if e.name not in APART]
    again = {entry.name: count for entry in names if (count := _compiled_again(entry, programs))}
    assert again == {}


def test_some_are_held_in_every_run(programs):
    some = [
        e for e in catalogue.entries(["measures", "observables", "transport"]) if e.name in SOME
    ]
    assert [(e.name, _compiled_again(e, programs)) for e in some] == [(n, 0) for n in sorted(SOME)]
