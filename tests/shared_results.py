"""Results of tiny studies that several files of tests need, computed once: workers meet in a store."""

from pathlib import Path

import xarray as xr

from meanfield.studies import Study


class Shared:
    """Results by study, in memory and in one folder for all workers of a run."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._known: dict[str, xr.Dataset] = {}

    def __call__(self, study: Study) -> xr.Dataset:
        """The result of `study`; a study that is made twice, by two workers at once, agrees."""
        store = study.store(root=self._folder)
        if store.key not in self._known:
            self._known[store.key] = study.run(store)
        return self._known[store.key]
