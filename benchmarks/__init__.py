"""Timings against named peers: `python -m benchmarks [NAME ...] [--json FILE] [--list] [--tiny]`.

A benchmark is one file `bench_<name>.py` that a glob finds, with a docstring whose first line says
what is timed, and

    from collections.abc import Iterator

    import jax
    import meanfield as mf

    from benchmarks._contest import Contest, compiled, relative_error
    from benchmarks.peers import pytorch

    def contests(tiny: bool) -> Iterator[Contest]:
        x = mf.geometry.Sphere(3).sample(jax.random.key(0), 64 if tiny else 16_384)
        attention = mf.attention.Softmax(4.0)
        exact = attention(x[:256], x)
        yield Contest(
            "field, d = 3",
            {
                "Blockwise": lambda: compiled(lambda x: attention(x), x),
                "PyTorch": lambda: pytorch.attention(x, 4.0),
            },
            error=lambda field: relative_error(field[:256], exact),
        )

where each contender makes ready, without running it, the function of no arguments that is timed. It
may set `FLOAT64 = True`, `CORES`, the number that it may use, and `ENVIRONMENT`, variables that its
process starts with. README.md tells how time, accuracy and memory are measured.
"""
