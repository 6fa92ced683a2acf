"""The result store: cells and results as netCDF, written atomically, with their provenance."""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from ._atomic import StoreError as StoreError, write_bytes as write_bytes
    from ._code import code_digest as code_digest
    from ._identity import (
        blend as blend,
        described_code as described_code,
        identity_of as identity_of,
        stamp as stamp,
        strip as strip,
        work_key as work_key,
    )
    from ._json import digest as digest, plain as plain, write_json as write_json
    from ._provenance import (
        precision as precision,
        provenance as provenance,
        software as software,
        version as version,
    )
    from ._sealed import pack as pack, unpack as unpack
    from ._store import Store as Store

__getattr__, __dir__ = offers(__name__)
