"""How a contract over many names fails: with all that fails, a line each."""


def check(contract: str, failures: dict[str, str]) -> None:
    """Nothing fails."""
    rows = [f"{row}: {why}" for row, why in failures.items()]
    assert not rows, "\n".join([f"{len(rows)} failures of the contract on {contract}", *rows])
