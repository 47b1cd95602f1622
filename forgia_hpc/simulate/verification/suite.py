"""The suite: every case with the source of its target. V14, V15, V17 are those of the solvers beside ours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from forgia_hpc.errors import InputError, JobFailedError, Problem, nearest
from forgia_hpc.simulate.member import MemberError
from forgia_hpc.simulate.verification import always, beam, changes, cooling, orders, plates
from forgia_hpc.simulate.verification.figures import Figure, How, Outcome, Verification

BACKENDS = ("numpy", "numba", "torch")
_SERIES = "Biot series, Incropera and DeWitt 5.5 and 5.6, 60 terms summed here"

CASES = (
    Verification(
        name="V1",
        title="cosine mode in an insulated cube, 16³ to 64³",
        source="exact decay exp(-3 a pi² t); 1.02e-4 at 64³ with Euler's steps at 0.9 of the limit",
        run=orders.cosine,
    ),
    Verification(
        name="V2",
        title="NAFEMS T3: a bar whose end oscillates",
        source="NAFEMS T3 (published 36.6 °C); eigenfunction series, 4,000 terms summed here",
        run=plates.oscillating_bar,
        quick=True,
    ),
    Verification(
        name="V3",
        title="NAFEMS T4: a plate that convection cools, steady",
        source="NAFEMS T4 (published 18.3 °C); cosine series, 2,000 terms summed here",
        run=plates.cooled_plate,
    ),
    Verification(
        name="V4", title="convective slab, Fo 0.5", source=_SERIES, run=cooling.slab, quick=True
    ),
    Verification(
        name="V5",
        title="convective cylinder, Fo 0.5",
        source=_SERIES,
        run=cooling.cylinder,
        quick=True,
    ),
    Verification(
        name="V6", title="convective sphere, Fo 0.5", source=_SERIES, run=cooling.sphere, quick=True
    ),
    Verification(
        name="V7",
        title="forged billet and cube, Bi 1, Fo 0.5",
        source="products of the series of V4 and V5",
        run=cooling.products,
        quick=True,
    ),
    Verification(
        name="V8",
        title="first eigenvalues, Bi 1, from the last decay",
        source="roots of z tan z, z J1/J0 and 1 - z cot z = Bi",
        run=cooling.eigenvalues,
    ),
    Verification(
        name="V9",
        title="half-space that convection cools, h sqrt(at)/k = 1",
        source="Carslaw and Jaeger 2.7 (1): 1 - e erfc(1)",
        run=cooling.semi_infinite,
        quick=True,
    ),
    Verification(
        name="V10",
        title="Stefan's melting front, one phase",
        source="sqrt(pi) l exp(l²) erf(l) = Ste, Carslaw and Jaeger 11.2",
        run=changes.stefan_fronts,
    ),
    Verification(
        name="V11",
        title="martensite of a bar that cools to 100 and 200 K below Ms",
        source="Koistinen and Marburger (1959): 1 - exp(-0.011 (Ms - T))",
        run=changes.martensite,
        quick=True,
    ),
    Verification(
        name="V12",
        title="quench of a square bar of 16MND5 (data of MTLP100)",
        source="product of two slab series with the manual's data, Bi 2.5; code_aster V4.61.100",
        run=cooling.quenched_bar,
        note="the manual prints h L/k = 5.00, where its own data give 2.5, and one coordinate of its table seems "
        "mistyped: these targets are the series', not the manual's",
        quick=True,
    ),
    Verification(
        name="V13",
        title="hardness by mixture",
        source="code_aster V4.61.104",
        run=changes.hardness,
        quick=True,
        backends=False,
    ),
    Verification(
        name="V16",
        title="moving source over a half-space, 1 mm behind",
        source="Rosenthal (1946): 200 W, absorptivity 0.4, 0.8 m/s; Green's function for a beam of some width",
        run=beam.rosenthal,
    ),
    Verification(
        name="V20",
        title="manufactured solution: k(T), c(T), source, five laws on four walls",
        source="orders of the schemes: 2 in space; 1 (explicit) and 2 (implicit) in time",
        run=orders.made_up,
    ),
    Verification(
        name="V21",
        title="1, 2, 3 and 4 ranks: block, ring and stepped forging with phases",
        source="equal bits (explicit), 1e-12 (implicit)",
        run=always.invariance,
    ),
    Verification(
        name="V22",
        title="energy balance of every step: walls, sources, latent heat",
        source="conservation: 1e-12 of the heat content a step in float64",
        run=always.balance,
    ),
)


def chosen(names: Sequence[str]) -> tuple[Verification, ...]:
    """Return the cases of these names, or all.

    Raises:
        InputError: a name that there is not.
    """
    known = {case.name: case for case in CASES}
    wanted = [name.upper() for name in names]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise InputError(
            [
                Problem(
                    field="case",
                    got=name,
                    limit="no such case",
                    fix=nearest(name, known, f"there are {', '.join(known)}"),
                )
                for name in unknown
            ]
        )
    return tuple(known[name] for name in wanted) if wanted else CASES


def verify(cases: Sequence[Verification], how: How) -> Iterator[Outcome]:
    """Yield the outcome of each case as it is done."""
    for case in cases:
        skipped = always.why_not(how) if case.run is always.invariance else ""
        if skipped:
            yield Outcome(case=case, backend=how.backend, skipped=skipped)
        else:
            yield _outcome(case, how)


def _outcome(case: Verification, how: How) -> Outcome:
    began = time.perf_counter()
    figures: tuple[Figure, ...] = ()
    broke = ""
    try:
        figures = tuple(case.run(how))
    except (MemberError, JobFailedError) as error:
        broke = str(error)
    seconds = time.perf_counter() - began
    return Outcome(case=case, backend=how.backend, figures=figures, seconds=seconds, broke=broke)
