"""Commands on models as data."""
