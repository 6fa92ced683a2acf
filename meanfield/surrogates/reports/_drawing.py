"""Curves and points over an axis as SVG."""

import html
from collections.abc import Mapping

import numpy as np

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 300, 70, 20, 20, 50
EDGE = 0.05
"""What is left free below and above, as a share of the range, so that discs are whole."""
NAMED = 0.08
"""The room above for a name, which is a line of text: 16 of 230."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Those of Okabe and Ito (2008), which are told apart with any colour vision."""


def drawing(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    points: Mapping[str, tuple[np.ndarray, np.ndarray]],
    x_label: str,
    y_label: str,
) -> str:
    """Curves as lines and points as discs, each with its name, between ticks at round numbers; the names
    have room above them."""
    every = [*curves.values(), *points.values()]
    x, y = (np.concatenate([np.asarray(pair[k], float) for pair in every]) for k in (0, 1))
    x_range, (low, high) = _range(x), _range(y)
    names = [*dict.fromkeys([*curves, *points])]
    room = NAMED * len(names)
    y_range = low - EDGE * (high - low), high + (EDGE + room) * (high - low)

    def place(at: np.ndarray, value: np.ndarray) -> list[str]:
        across = LEFT + (at - x_range[0]) / (x_range[1] - x_range[0]) * (WIDTH - LEFT - RIGHT)
        down = (
            HEIGHT
            - BOTTOM
            - (value - y_range[0]) / (y_range[1] - y_range[0]) * (HEIGHT - TOP - BOTTOM)
        )
        return [f"{a:.2f},{d:.2f}" for a, d in zip(across, down, strict=True) if np.isfinite(a + d)]

    parts = [*_axes(x_range, y_range, x_label, y_label, place)]
    for k, name in enumerate(names):
        colour = COLOURS[k % len(COLOURS)]
        if name in curves:
            line = " ".join(place(*curves[name]))
            parts.append(
                f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{line}"/>'
            )
        for spot in place(*points[name]) if name in points else []:
            a, d = spot.split(",")
            parts.append(f'<circle cx="{a}" cy="{d}" r="3" fill="{colour}"/>')
        label = html.escape(name)
        parts.append(
            f'<text x="{WIDTH - RIGHT}" y="{TOP + 16 * k}" text-anchor="end" fill="{colour}">{label}</text>'
        )
    inside = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="13" '
        f'font-family="sans-serif">{inside}</svg>'
    )


def _range(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    middle = max(abs(low), abs(high)) or 1.0
    return (low, high) if high - low > 1e-9 * middle else (low - 0.5 * middle, high + 0.5 * middle)


def _ticks(low: float, high: float) -> np.ndarray:
    """About five round numbers between."""
    raw = (high - low) / 5
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * min((s for s in (1, 2, 5, 10) if s * power >= raw), default=10)
    # adding zero makes that of -0
    return np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step + 0.0


def _axes(x_range, y_range, x_label: str, y_label: str, place):
    floor, wall = HEIGHT - BOTTOM, LEFT
    yield f'<path d="M{wall},{TOP}V{floor}H{WIDTH - RIGHT}" fill="none" stroke="#888"/>'
    for tick in _ticks(*x_range):
        a = place(np.array([tick]), np.array([y_range[0]]))[0].split(",")[0]
        yield f'<text x="{a}" y="{floor + 18}" text-anchor="middle">{tick:.6g}</text>'
    for tick in _ticks(*y_range):
        d = place(np.array([x_range[0]]), np.array([tick]))[0].split(",")[1]
        yield f'<text x="{wall - 6}" y="{float(d) + 4:.2f}" text-anchor="end">{tick:.6g}</text>'
    across = (WIDTH - RIGHT + LEFT) / 2
    yield f'<text x="{across}" y="{HEIGHT - 8}" text-anchor="middle">{html.escape(x_label)}</text>'
    yield f'<text x="{wall - 60}" y="{TOP - 9}">{html.escape(y_label)}</text>'
