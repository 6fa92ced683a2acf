"""A process of a distributed study is killed: nothing is lost, and the rest finish."""

import json
import os

import pytest
from jobs import run_job

from meanfield.studies.machinery import _share


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_the_rest_finish_when_a_process_is_killed(count, tmp_path):
    codes, said = run_job("mortal.py", tmp_path, count, 1, DIES=str(count - 1))
    assert codes == [0] * (count - 1) + [-9], said
    claims = json.loads((tmp_path / "out" / "claims.json").read_text())
    assert all(claim["passed"] for claim in claims)
    # Six cells, none lost; those of the killed one, but for its first, by the rest.
    assert len(set((tmp_path / "computed").read_text().split())) == 6
    assert len(list((tmp_path / "out" / "cells").glob("[!.]*.nc"))) == 6


def test_cells_of_a_process_that_shows_nothing_are_shared_by_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr("jax.process_count", lambda: 3)
    monkeypatch.setattr("jax.process_index", lambda: 1)
    seen = tmp_path / ".alive-0.tmp"

    def left(age: float):
        """The share of process 1, entered that long ago, of eight cells, where process 2 never came."""
        with _share._Presence(tmp_path) as presence:
            now = seen.stat().st_mtime
            presence._start = now - age
            return presence.left([*range(8)])

    seen.touch()
    assert left(0.0) == []  # the others may still come
    assert left(2 * _share.PATIENCE) == [5]  # of 2 and 5, with process 0 as the other
    os.utime(seen, (0, 0))
    with _share._Presence(tmp_path) as presence:
        presence._start -= 2 * _share.PATIENCE
        assert presence.left([*range(8)]) == [0, 2, 3, 5, 6]
        assert presence.left([*range(8)]) == []  # it has just looked
    assert not (tmp_path / ".alive-1.tmp").exists()


def test_a_process_touches_its_file_until_it_leaves(tmp_path, monkeypatch):
    monkeypatch.setattr(_share, "BEAT", 0.01)
    with _share._Presence(tmp_path) as presence:
        file = presence._file(0)
        os.utime(file, (0, 0))
        _share.wait_until(lambda: file.stat().st_mtime > 0, 0.01)
    assert not file.exists()
