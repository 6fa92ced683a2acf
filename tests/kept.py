"""Results of tiny studies that take long, kept beside the tests: their figures are drawn in every run.

    pytest -m slow tests/test_figures.py --keep

computes and keeps them again, `make validate` holds them against new ones.
"""

import zipfile
from dataclasses import fields

import xarray as xr
from figures_drawn import KEPT

from meanfield.io._json import digest, plain
from meanfield.io._sealed import pack, unpack
from meanfield.studies import Study
from meanfield.studies.machinery._quantities import told

HOW = "compute them again: pytest -m slow tests/test_figures.py --keep"


def question(study: Study) -> str:
    """What a study is asked: its name and parameters, whatever the code that answers."""
    asked = {field.name: plain(getattr(study, field.name)) for field in fields(study)}
    return digest({"study": study.name(), **asked})


def keep(name: str, studies: dict[str, Study], results: dict[str, xr.Dataset]) -> None:
    """Writes what a figure is drawn from."""
    with zipfile.ZipFile(KEPT / f"{name}.zip", "w") as file:
        for k, (label, study) in enumerate(studies.items()):
            result = results[label].assign_attrs(asked=question(study))
            # One date, so that equal results are equal files.
            entry = zipfile.ZipInfo(f"{k}.nc")
            file.writestr(entry, pack(result), zipfile.ZIP_DEFLATED, 9)


def kept(name: str, studies: dict[str, Study]) -> dict[str, xr.Dataset]:
    """What a figure is drawn from, of the studies as they are now."""
    path = KEPT / f"{name}.zip"
    assert zipfile.is_zipfile(path), f"no results are kept of {name}; {HOW}"
    with zipfile.ZipFile(path) as file:
        found = [unpack(file.read(f"{k}.nc")) for k in range(len(file.namelist()))]
    asked = [result.attrs.pop("asked") for result in found]
    assert asked == [*map(question, studies.values())], f"{name} asks something else now; {HOW}"
    for result, study in zip(found, studies.values(), strict=True):
        now = told(result, study.quantities())
        assert form(now) == form(result), f"{name} has other words or units now; {HOW}"
    return dict(zip(studies, found, strict=True))


def is_kept(name: str, studies: dict[str, Study], results: dict[str, xr.Dataset]) -> bool:
    """Whether the same numbers and words are kept already."""
    try:
        before = kept(name, studies)
    except AssertionError:
        return False
    return all(
        form(before[label]) == form(result) and before[label].equals(result)
        for label, result in results.items()
    )


def form(result: xr.Dataset) -> dict:
    """Names, axes, kinds and words of a result."""
    return {
        name: (values.dims, values.shape, values.dtype.kind, dict(values.attrs))
        for name, values in result.variables.items()
    }
