"""What a campaign's own files say of its members: the frozen list, the journal, campaign.json."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from forgia_hpc.errors import ForgiaError
from forgia_hpc.report.figures import number
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.simulate.journal import campaign_of
from forgia_hpc.simulate.progress import Progress, all_lines

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Input:
    """One input, and what each member has of it."""

    name: str
    ucum: str
    log: bool
    values: list[float]

    @property
    def varies(self) -> bool:
        """Whether members differ in it."""
        return len(set(self.values)) > 1


@dataclass(frozen=True)
class MemberFacts:
    """One member and what became of it."""

    number: int
    id: str
    level: int
    ending: str = ""  # admitted | rejected | poison; empty: not settled
    seconds: float | None = None  # of the try that settled it; None: not computed here
    findings: tuple[Document, ...] = ()
    why: str = ""

    @property
    def ended(self) -> str:
        """Its ending as a table has it."""
        return f"refined, {self.ending}" if self.level else self.ending


@dataclass(frozen=True)
class Campaign:
    """What is known of a campaign. `members` has the refined ones too, at the end."""

    dataset: str
    into: str
    solver: str
    design: Document
    inputs: list[Input]
    splits: Counter[str]
    members: list[MemberFacts]
    failures: dict[str, list[int]]  # kind of failure → the member of each
    solved: dict[int, list[tuple[float, float]]]  # group → (when, s since 1970; seconds taken)
    groups: int
    account: Document = field(default_factory=dict)  # campaign.json, once it is concluded

    def planned(self, level: int = 0) -> list[MemberFacts]:
        """Return the members of a level."""
        return [one for one in self.members if one.level == level]

    def ended(self, ending: str) -> list[MemberFacts]:
        """Return the members of level 0 that ended so."""
        return [one for one in self.planned() if one.ending == ending]

    def left_out(self) -> list[MemberFacts]:
        """Return the members that ended badly: rejected, then poison, and then the refined ones of both."""
        return [
            one
            for level in (0, 1)
            for ending in ("rejected", "poison")
            for one in self.planned(level)
            if one.ending == ending
        ]

    def named(self) -> str:
        """Return the dataset, with its version where it is sealed."""
        return str(self.account.get("dataset") or self.dataset)


def read_campaign(run: RunDir, notes: list[str]) -> Campaign | None:
    """Return what the campaign's files say; what can't be read is added to `notes`."""
    path = run.inputs / "members.json"
    if not path.exists():
        return None
    try:
        content = read_json(path)
        return _campaign(run, content, notes)
    except (ForgiaError, OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        notes.append(f"inputs/members.json or the journal could not be read: {error!r}")
        return None


def _campaign(run: RunDir, content: Document, notes: list[str]) -> Campaign:
    columns, design = content["members"], content["design"]
    ids, levels = columns["id"], columns["level"]
    journal = _Journal(Progress(len(ids), keep=True))
    journal.read(run)
    at_base = [split for split, level in zip(columns["split"], levels, strict=True) if not level]
    return Campaign(
        dataset=str(content["dataset"]),
        into=str(content["into"]),
        solver=str(content["solver"]),
        design=design,
        inputs=[_input(one, design, columns["values"]) for one in content["inputs"]],
        splits=Counter(at_base),
        members=[
            journal.member(at, str(id_), int(level))
            for at, (id_, level) in enumerate(zip(ids, levels, strict=True))
        ],
        failures=journal.failures(),
        solved=dict(sorted(journal.solved.items())),
        groups=len(journal.groups),
        account=_account(run, notes),
    )


def _input(one: Document, design: Document, values: Document) -> Input:
    scale = (design.get("inputs") or {}).get(one["name"]) or {}
    log = isinstance(scale, Mapping) and scale.get("scale") == "log"
    found = [float(value) for value in values[one["name"]]]
    return Input(str(one["name"]), str(one["ucum"]), log and min(found) > 0, found)


def _account(run: RunDir, notes: list[str]) -> Document:
    path = campaign_of(run) / "campaign.json"
    try:
        found = read_json(path) if path.exists() else {}
    except (ForgiaError, OSError) as error:
        notes.append(f"output/campaign/campaign.json could not be read: {error}")
        return {}
    return found if isinstance(found, dict) else {}


@dataclass
class _Journal:
    """The journal's lines, folded; and when which group has settled a member."""

    progress: Progress
    groups: set[int] = field(default_factory=set)
    solved: dict[int, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def read(self, run: RunDir) -> None:
        begun: dict[str, float] = {}
        for writer, line in all_lines(run, self.progress):
            self.progress.take(writer, line)
            group = writer.partition("-")[0]
            if not group.isdecimal():
                continue
            self.groups.add(int(group))
            if line["what"] == "begun":
                begun[writer] = line.get("at", 0.0)
            elif line["what"] == "solved" and begun.get(writer):
                seconds = float(line["seconds"])
                self.solved[int(group)].append((begun[writer] + seconds, seconds))

    def member(self, at: int, id_: str, level: int) -> MemberFacts:
        settled = self.progress.settled(at)
        if settled is None:
            return MemberFacts(at, id_, level)
        line = settled.line or {}
        return MemberFacts(
            number=at,
            id=id_,
            level=level,
            ending=settled.ending.value,
            seconds=number(line.get("seconds")),
            findings=tuple(line.get("findings") or ()),
            why=_why(line),
        )

    def failures(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for member, kinds in sorted(self.progress.failures.items()):
            for kind in kinds:
                found.setdefault(kind, []).append(member)
        return dict(sorted(found.items(), key=lambda one: (-len(one[1]), one[0])))


def _why(line: Document) -> str:
    """Return why a member is not in the dataset: the checks that failed, or the failures."""
    if line.get("what") == "poison":
        return f"{line.get('failures')}: {line.get('why')}"
    failed = [one for one in line.get("findings") or () if not one["passed"]]
    return "; ".join(f"{one['check']} {one['value']}, {one['limit']}" for one in failed)
