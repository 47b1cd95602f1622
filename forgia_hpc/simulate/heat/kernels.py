"""Loops that numba compiles: the same arithmetic as NumPy's, cell by cell. No fastmath: the bits are to agree."""

from __future__ import annotations

from typing import Any

from numba.extending import register_jitable

FLUX, CONVECTION, TABLE, RADIATION = range(4)  # kinds of law


def stencil(out: Any, base: Any, u: Any, low: Any, high: Any, scale: Any) -> None:
    """Set out = base + scale * sum of the six steps, weighted; arrays with a rim. low, high: three axes each."""
    lz, ly, lx = low
    hz, hy, hx = high
    for k in range(lz.size):
        for j in range(ly.size):
            for i in range(lx.size):
                own = u[k + 1, j + 1, i + 1]
                x = hx[i] * (u[k + 1, j + 1, i + 2] - own) - lx[i] * (own - u[k + 1, j + 1, i])
                y = hy[j] * (u[k + 1, j + 2, i + 1] - own) - ly[j] * (own - u[k + 1, j, i + 1])
                z = hz[k] * (u[k + 2, j + 1, i + 1] - own) - lz[k] * (own - u[k, j + 1, i + 1])
                out[k + 1, j + 1, i + 1] = base[k + 1, j + 1, i + 1] + ((x + y) + z) * scale


def masked(out: Any, base: Any, u: Any, body: Any, low: Any, high: Any, scale: Any) -> None:
    """Do the same where `body` (with rim) is not 0; nothing passes between the body and what is beyond."""
    lz, ly, lx = low
    hz, hy, hx = high
    for k in range(lz.size):
        for j in range(ly.size):
            for i in range(lx.size):
                a, b, c = k + 1, j + 1, i + 1
                own = u[a, b, c]
                if not body[a, b, c]:
                    out[a, b, c] = base[a, b, c]
                    continue
                x = hx[i] * ((u[a, b, c + 1] - own) * body[a, b, c + 1]) - lx[i] * (
                    (own - u[a, b, c - 1]) * body[a, b, c - 1]
                )
                y = hy[j] * ((u[a, b + 1, c] - own) * body[a, b + 1, c]) - ly[j] * (
                    (own - u[a, b - 1, c]) * body[a, b - 1, c]
                )
                z = hz[k] * ((u[a + 1, b, c] - own) * body[a + 1, b, c]) - lz[k] * (
                    (own - u[a - 1, b, c]) * body[a - 1, b, c]
                )
                out[a, b, c] = base[a, b, c] + ((x + y) + z) * scale


def pieces(out: Any, x: Any, knots: Any, at: Any, a: Any, b: Any, c: Any) -> None:
    """Set out to a function in pieces of x, three axes; neighbours lie in the same piece, so look there first."""
    piece = 0
    for k in range(x.shape[0]):
        for j in range(x.shape[1]):
            for i in range(x.shape[2]):
                value = x[k, j, i]
                while piece < knots.size and knots[piece] <= value:
                    piece += 1
                while piece > 0 and knots[piece - 1] > value:
                    piece -= 1
                d = value - at[piece]
                out[k, j, i] = a[piece] + d * (b[piece] + d * c[piece])


def surfaces(out: Any, slopes: Any, cells: Any, low: Any, high: Any, drives: Any, how: Any) -> None:
    """Set flux and slope at a wall, cell by cell, as laws.Implicit does with arrays; drives: (law, cell)."""
    laws, theta, conductivity, half, tolerance, most = how
    zero, one, two = half - half, half / half, half / half + half / half
    for at in range(cells.size):
        cell, lowest, highest = cells[at], low[at], high[at]
        width = highest - lowest
        start, surface = _value(theta, cell), cell
        done = width < zero
        for _ in range(most):
            flux, slope = _through(laws, drives, at, surface, zero)
            miss = _value(theta, surface) - start - half * flux
            resist = _value(conductivity, surface) - half * slope
            if miss < zero:
                lowest = surface
            if miss > zero:
                highest = surface
            step = miss / (resist if resist > zero else one)
            small = abs(step) <= tolerance * width and resist > zero
            newton = surface - step
            inside = newton > lowest and newton < highest and resist > zero
            if not done:
                surface = newton if inside or small else (lowest + highest) / two
            if done or small or miss == zero:
                break
        flux, slope = _through(laws, drives, at, surface, zero)
        resist = _value(conductivity, surface) - half * slope
        steep = slope / (resist if resist > zero else one)
        out[at] = flux
        slopes[at] = steep if steep < zero else zero * steep


@register_jitable  # type: ignore[untyped-decorator]
def _value(pieces: Any, x: Any) -> Any:
    knots, at, a, b, c = pieces
    piece = _piece(knots, x, 0, knots.size)
    d = x - at[piece]
    return a[piece] + d * (b[piece] + d * c[piece])


@register_jitable  # type: ignore[untyped-decorator]
def _piece(knots: Any, x: Any, first: Any, last: Any) -> Any:
    """Return how many knots of first..last are at most x."""
    begin = first
    while first < last:
        middle = (first + last) // 2
        if knots[middle] <= x:
            first = middle + 1
        else:
            last = middle
    return first - begin


@register_jitable  # type: ignore[untyped-decorator]
def _through(laws: Any, drives: Any, at: Any, surface: Any, zero: Any) -> Any:
    """Return the flux of all laws at a surface's temperature, and its slope."""
    kinds, strengths, steeps, kelvin, ends, tables = laws
    knots, starts, values, rises = tables
    flux, slope = zero * surface, zero * surface
    for law in range(kinds.size):
        drive = drives[law, at]
        if kinds[law] == FLUX:
            flux = flux + drive
        elif kinds[law] == RADIATION:
            hot = surface + kelvin
            square = hot * hot
            flux = flux + strengths[law] * (drive - square * square)
            slope = slope + steeps[law] * (square * hot)
        else:
            h, rise = strengths[law], zero
            if kinds[law] == TABLE:
                piece = ends[law] + law + _piece(knots, surface, ends[law], ends[law + 1])
                h = values[piece] + (surface - starts[piece]) * rises[piece]
                rise = rises[piece]
            step = drive - surface
            flux, slope = flux + h * step, slope + (rise * step - h)
    return flux, slope
