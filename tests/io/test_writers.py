"""Processes that write into one folder, and those that are killed while they do."""

import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from writer import identity, part, process, write

from meanfield.io import Store

CELLS = 12


@pytest.fixture
def context(monkeypatch):
    """What makes processes, by a server that forks them where there is one; they would import what runs
    these tests if they knew of it."""
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["writer"])
    return context


def _check(folder: Path, beta: float, first: int = 0) -> int:
    """How many cells are stored, each of which from the first on must hold what it should."""
    store, number = Store.open(folder), first
    assert store.identity == identity(beta)
    while (found := store.find_cell({"number": number})) is not None:
        np.testing.assert_array_equal(found.x, part(number).x)
        number += 1
    return number


@pytest.mark.parametrize("kills", [18, pytest.param(60, marks=pytest.mark.slow)])
def test_kills_lose_nothing_that_was_stored(context, tmp_path, kills):
    """Whenever it is killed, what was stored is whole; what is asked to end says so in one line and
    by its status; and the last run finds all."""
    rng, log, cells = random.Random(0), tmp_path / "log", 2000
    statuses = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}
    out, before, told, longest = tmp_path / "out", 0, 0, 0.1
    for n in range(kills):
        number = [*statuses][n % 3]
        child = context.Process(target=process, args=(out, 1.0, cells, log))
        child.start()
        while not log.exists() and child.is_alive():
            time.sleep(1e-3)  # signals are its own once it is asked to log
        time.sleep(rng.uniform(0, longest))
        os.kill(child.pid, number)
        child.join(30)
        assert child.exitcode == statuses[number]
        said = log.read_text()
        assert said.count("\n") == (number != signal.SIGKILL)
        log.unlink()
        after = _check(out, 1.0, before) if (out / "study.json").exists() else 0
        assert after >= before
        assert after > 0 or "the finished cells are kept" not in said
        assert before == 0 or "nothing is kept" not in said
        told += "the finished cells are kept" in said
        longest *= 1 if after else 1.2  # where the machine is busy nothing may be stored in time
        before = after
    assert 0 < before < cells and told > 0
    write(out, 1.0, before + 3)
    assert _check(out, 1.0) == before + 3
    assert Store.open(out).load_result().total == before + 3


def _together(context, jobs: list[tuple]) -> list[int]:
    """The statuses of processes that start at one moment."""
    start = context.Barrier(len(jobs))
    children = [context.Process(target=process, args=(*job, start)) for job in jobs]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    return [child.exitcode for child in children]


def test_writers_of_one_study_all_finish(context, tmp_path):
    jobs = [(tmp_path / "out", 1.0, CELLS, tmp_path / f"log{n}") for n in range(6)]
    assert _together(context, jobs) == [0] * 6
    assert _check(tmp_path / "out", 1.0) == CELLS
    assert Store.open(tmp_path / "out").load_result().total == CELLS
    assert not [*tmp_path.rglob("*.tmp")]


def test_of_different_studies_in_one_empty_folder_one_runs_and_the_others_are_refused(
    context, tmp_path
):
    for n in range(4):
        out = tmp_path / f"out{n}"
        jobs = [(out, float(beta), CELLS, tmp_path / f"log{n}{beta}") for beta in range(4)]
        statuses = _together(context, jobs)
        assert sorted(statuses) == [0, 2, 2, 2]
        winner = statuses.index(0)
        assert _check(out, float(winner)) == CELLS
        for _, beta, _, log in jobs:
            if beta != winner:
                assert (
                    f"which holds another: beta = {float(winner)} (now {beta})" in log.read_text()
                )
        assert len([*(out / "cells").iterdir()]) == CELLS


def test_a_reader_beside_a_writer_sees_whole_files(context, tmp_path):
    out = tmp_path / "out"
    child = context.Process(target=process, args=(out, 1.0, 60, tmp_path / "log"))
    child.start()
    looks = seen = 0
    while child.is_alive():
        if (out / "study.json").exists():
            looks += 1
            seen = _check(out, 1.0, max(seen - 1, 0))
            Store.open(out).load_result()
            Store.open(out).load_claims()
    child.join()
    assert child.exitcode == 0
    assert looks > 0
    assert _check(out, 1.0) == 60
