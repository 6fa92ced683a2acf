"""The result store: cells and results as netCDF, written atomically, with their provenance."""

from ._atomic import StoreError as StoreError
from ._json import digest as digest, plain as plain
from ._provenance import precision as precision, provenance as provenance, version as version
from ._store import Store as Store, stamp as stamp, strip as strip, write_json as write_json
