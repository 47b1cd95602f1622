"""What Slurm will do with a request: start it, let it wait, never start it, or refuse it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from forgia_hpc.slurm.asked import Asked
from forgia_hpc.slurm.finding import Fate, Finding, Measure
from forgia_hpc.slurm.obstacles import obstacles
from forgia_hpc.slurm.shortage import count_nodes

_BAD = list(Fate)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The fate of a request, why, and the smallest mend."""

    fate: Fate
    because: str
    reason: str = ""
    fix: str = ""
    findings: tuple[Finding, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The one line that a person reads."""
        said = {
            Fate.fits: "fits",
            Fate.starts_now: "starts now",
            Fate.waits: "waits",
            Fate.never: "can never run",
            Fate.refused: "would be refused",
        }[self.fate]
        mend = f"; {self.fix}" if self.fix else ""
        return f"{said}: {self.because}{mend}"

    def as_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "fate": self.fate.value,
            "because": self.because,
            "reason": self.reason,
            "fix": self.fix,
            "unchecked": list(self.unchecked),
        }


def judge(asked: Asked, measure: Measure) -> Verdict:
    """Return the fate of a request, with everything that stands in its way."""
    found = obstacles(asked, measure)
    if not found:
        fate = Fate.fits if measure.now is None else Fate.starts_now
        because = (
            f"it keeps to the limits of {measure.where}"
            if measure.now is None
            else f"{count_nodes(asked.nodes)} of {asked.partition} can take it"
        )
        return Verdict(fate=fate, because=because, unchecked=measure.unchecked)
    worst = max((finding.fate for finding in found), key=_BAD.index)
    those = [finding for finding in found if finding.fate is worst]
    return Verdict(
        fate=worst,
        because="; ".join(dict.fromkeys(one.problem.limit for one in those)),
        reason=those[0].reason,
        fix="; ".join(dict.fromkeys(one.problem.fix for one in those if one.problem.fix)),
        findings=tuple(found),
        unchecked=measure.unchecked,
    )
