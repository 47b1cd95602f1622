"""Loops that numba compiles: the same arithmetic as NumPy's, cell by cell. No fastmath: the bits are to agree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

FLUX, CONVECTION, TABLE, RADIATION = range(4)  # kinds of law
LINEAR, CURVED, IMPLICIT = range(3)  # ways from a side's laws to its flux


def stencil(out: Any, base: Any, u: Any, low: Any, high: Any, scale: Any) -> None:
    """Set out = base + scale * sum of the six steps, weighted; arrays with a rim. low, high: three axes each."""
    _stencil(out, base, u, low, high, scale)


def whole(out: Any, state: Any, taken: Any, mesh: Any, walls: Any, dt: Any) -> None:
    """Set out to the state after dt, and note what the walls give: linear laws, a constant material."""
    low, high, scale = mesh
    sides, places, gains, values, drives = walls
    _stencil(out, state, state, low, high, scale)
    before, after = state.reshape(state.size), out.reshape(out.size)
    for at in range(places.size):
        side, place = sides[at], places[at]
        flux = (drives[0, side] - values[side, 0] * before[place]) * values[side, 1]
        after[place] = after[place] + gains[at] * flux
        taken[at] = taken[at] + dt * flux


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


def scatter(field: Any, places: Any, values: Any) -> None:
    """Add each value to the cell at its place, one after another: a corner has three."""
    flat = field.reshape(field.size)
    for at in range(places.size):
        flat[places[at]] = flat[places[at]] + values[at]


def largest(values: Any) -> Any:
    """Return the largest magnitude; not a number if a value is none."""
    top = 0.0
    for at in range(values.size):
        size = abs(values[at])
        if np.isnan(size):
            return size
        top = max(top, size)
    return top


def halves(values: Any, first: Any, second: Any) -> Any:
    """Return the sum of the values on the grid of `first`, and of their rests on that of `second`."""
    highs, lows = 0.0, 0.0
    for at in range(values.size):
        high = (values[at] + first) - first
        highs += high
        lows += ((values[at] - high) + second) - second
    return highs, lows


def surfaces(out: Any, slopes: Any, cells: Any, drives: Any, how: Any) -> None:
    """Set flux and slope at all walls, cell by cell, as the laws do with arrays; drives: (number, column)."""
    sides, columns, numbers, laws, theta, conductivity, tolerance, most = how
    ways, firsts, values = numbers
    one = values[0, 2] / values[0, 2]
    for at in range(cells.size):
        cell, side, column, slope = cells[at], sides[at], columns[at], one
        total, share, half = values[side, 0], values[side, 1], values[side, 2]
        if ways[side] == LINEAR:
            flux = (drives[0, column] - total * cell) * share
        elif ways[side] == CURVED:
            flux = (_value(theta, drives[0, column]) - _value(theta, cell)) * share
        else:
            which = drives, column, firsts[side], firsts[side + 1]
            matter = theta, conductivity, half
            flux, slope = _implicit(cell, which, laws, matter, (tolerance, most))
        out[at] = flux
        slopes[at] = slope


@register_jitable  # type: ignore[untyped-decorator]
def _stencil(out: Any, base: Any, u: Any, low: Any, high: Any, scale: Any) -> None:
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


@register_jitable  # type: ignore[untyped-decorator]
def _implicit(cell: Any, which: Any, laws: Any, matter: Any, how: Any) -> Any:
    """Return flux and slope from the surface's temperature: laws.Implicit for one cell."""
    theta, conductivity, half = matter
    tolerance, most = how
    zero, one, two = half - half, half / half, half / half + half / half
    lowest, highest = _bracket(cell, which, laws, zero)
    width = highest - lowest
    start, surface = _value(theta, cell), cell
    done = width < zero
    for _ in range(most):
        flux, slope = _through(laws, which, surface, zero)
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
    flux, slope = _through(laws, which, surface, zero)
    resist = _value(conductivity, surface) - half * slope
    steep = slope / (resist if resist > zero else one)
    return flux, steep if steep < zero else zero * steep


@register_jitable  # type: ignore[untyped-decorator]
def _bracket(cell: Any, which: Any, laws: Any, zero: Any) -> Any:
    """Return temperatures between which the surface must be."""
    drives, column, first, last = which
    low, high, extra = cell, cell, zero * cell
    for law in range(first, last):
        bound = drives[last - first + law - first, column]
        if laws[0][law] == FLUX:
            extra = extra + bound
        else:
            low = bound if bound < low else low
            high = bound if bound > high else high
    return low - extra, high + extra


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
def _through(laws: Any, which: Any, surface: Any, zero: Any) -> Any:
    """Return the flux of a side's laws at a surface's temperature, and its slope."""
    drives, column, first, last = which
    kinds, strengths, steeps, kelvin, ends, tables = laws
    knots, starts, values, rises = tables
    flux, slope = zero * surface, zero * surface
    for law in range(first, last):
        drive = drives[law - first, column]
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
