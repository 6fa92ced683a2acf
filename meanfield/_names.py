"""Names of classes as the command line writes them."""

import re


def snake_case(name: str) -> str:
    """MeanFieldLimit as mean_field_limit; capitals that stand together are one word."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
