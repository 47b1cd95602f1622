"""The recipe: how raw files become a contribution. `datasets/<name>/recipe.yaml`, strict: nothing is guessed.

A recipe names every file with its SHA-256, every column with its unit, quantity and valid range, the clock, the
labels, the split, and the *mends*: the only repairs that may be made. Each mend is counted; what none covers is
refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from forgia_hpc.data.ingest.channels import Terms, channel_of
from forgia_hpc.data.ingest.wanted import GeneratorSpec, LabelSpec, PolicySpec, SplitSpec
from forgia_hpc.data.layout import Channel

Role = Literal["signal", "setting", "label", "target"]


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """A raw file as its publisher wrote it; no SHA-256 only where our own generator writes it."""

    path: str
    sha256: str = ""
    origin: str = ""  # its name at the publisher's, where that differs


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """One file of a table."""

    path: str
    asset: str = ""  # the machine, where a whole file is one machine's
    transposed: bool = False  # channels are the rows
    rows: int | None = None  # so many time steps are expected


@dataclass(frozen=True, kw_only=True)
class Clock:
    """When a row was measured: stamps (column + format), a counter (column only), or the row's number."""

    step_s: float | None = None  # seconds a step; None: a step is not a time (a flight cycle)
    column: str | None = None  # may be "": a column without a name
    format: str = (
        ""  # of strptime; or epoch_s, epoch_ms, epoch_us, epoch_ns; or typed (Parquet, Arrow)
    )
    utc_offset: str = "+00:00"
    zone: str = ""  # an IANA name such as Europe/Rome, instead of utc_offset
    seconds_of_day: str | None = None  # a column that repeats the clock; compared, not kept


@dataclass(frozen=True, kw_only=True)
class Assets:
    """The machine from a column; `format` makes its name from the cell, e.g. `train-{:0>3}`."""

    column: str
    format: str = "{}"
    by_file: dict[str, str] = field(default_factory=dict)  # file → its own format


@dataclass(frozen=True, kw_only=True)
class Expect:
    """What a column was like: least and most of each eighth of a reference period; what departs is flagged."""

    low: tuple[float, ...]  # the 1 % quantile
    mean: tuple[float, ...]
    high: tuple[float, ...]  # the 99 % quantile
    std: tuple[float, ...]
    rough: tuple[float, ...]  # mean |difference of neighbours|
    width: float  # high - low of the whole
    gaps: float = 0.0  # share of values that are missing


@dataclass(frozen=True, kw_only=True)
class ColumnSpec:
    """A column and the channel that it becomes; what is left out comes from the table's `defaults`."""

    column: str
    name: str = ""
    ucum: str = ""
    quantity: str = ""
    semantic_id: str = ""
    qudt: str = ""
    decimals: int | None = None  # so many fixed decimals: stored as exact integers; None: float32
    min: float | None = None
    max: float | None = None
    role: Role | None = None
    codes: tuple[str, ...] = ()
    given_in: str = ""  # the file's unit, where it is converted to `ucum`
    scale: float | None = (
        None  # value = number of the file * scale + zero: the counts of a converter
    )
    zero: float = 0.0
    sign: Literal[1, -1] = 1  # -1: the file counts the other way round
    expect: Expect | None = None


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What every column of a table has unless it says otherwise."""

    ucum: str = ""
    quantity: str = ""
    semantic_base: str = ""  # semantic_id = base + name
    decimals: int | None = None
    min: float | None = None
    max: float | None = None
    role: Role = "signal"


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A mend that may be made at most so often."""

    at_most: int | None = None


@dataclass(frozen=True, kw_only=True)
class Texts(Counted):
    """Cells that hold one of these texts become gaps."""

    texts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Repeated(Counted):
    """Rows whose time was there before: one of them, or their mean, is kept."""

    keep: Literal["first", "last", "mean"]


@dataclass(frozen=True, kw_only=True)
class Missing(Counted):
    """Steps that no row has: gaps up to `fill` steps, a new segment up to `longest`, refused beyond."""

    fill: int
    longest: int


@dataclass(frozen=True, kw_only=True)
class Jitter(Counted):
    """Stamps off the grid by at most so much are put on it."""

    within_s: float


@dataclass(frozen=True, kw_only=True)
class Folded(Counted):
    """Times of the hour that a clock shows twice in autumn: as the rows follow, or all the first or second."""

    take: Literal["by_order", "first", "second"]


@dataclass(frozen=True, kw_only=True)
class Mends:
    """The repairs that may be made. A mend that is not named is not made."""

    text_to_gap: Texts | None = None
    nan_to_gap: Counted | None = None  # NaN and null of typed files
    out_of_range_to_gap: Counted | None = None
    repeated_times: Repeated | None = None
    repeated_rows: Counted | None = None  # equal to an earlier row in every cell: left out
    midnight_on_day_before: Counted | None = None  # 0:00 stamped with the day that ends
    missing_steps: Missing | None = None
    jitter: Jitter | None = None
    ambiguous_hour: Folded | None = None
    skipped_hour: Counted | None = (
        None  # an hour that spring leaves out: read as if not yet changed
    )
    blanks: Counted | None = None  # lines of a whitespace table with blanks at their ends


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """Files of one shape: a group of synchronous channels."""

    group: str
    files: tuple[TableFile, ...]
    parser: Literal["csv", "whitespace", "parquet", "arrow", "hdf5", "mat", "npy", "wav"]
    clock: Clock
    columns: tuple[ColumnSpec, ...]
    header: tuple[str, ...] = ()  # names, where the file has none; else those of `columns`
    delimiter: str = ","
    encoding: Literal["utf-8", "utf-8-bom", "ascii", "latin-1"] = "utf-8"
    notation: Literal["plain", "scientific"] = "plain"
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""
    policy: str = ""  # the name of a policy of the card; empty: its only one
    assets: Assets | None = None
    defaults: Defaults = field(default_factory=Defaults)
    left_out: dict[str, str] = field(default_factory=dict)  # column → why
    mends: Mends = field(default_factory=Mends)

    def channels(self) -> tuple[Channel, ...]:
        """Return the channels in the order of `columns`."""
        return tuple(channel_of(one) for one in self.terms())

    def decimals(self, column: ColumnSpec) -> int | None:
        """Return a column's fixed decimals, its own or the table's."""
        return column.decimals if column.decimals is not None else self.defaults.decimals

    def _terms(self, column: ColumnSpec) -> Terms:
        """Return a column's own words, completed by the table's defaults."""
        own, name = self.defaults, column.name or column.column
        return Terms(
            name=name,
            ucum=column.ucum or own.ucum,
            quantity=column.quantity or own.quantity,
            semantic_id=column.semantic_id or own.semantic_base + name,
            qudt=column.qudt,
            role=column.role or own.role,
            codes=column.codes,
            decimals=self.decimals(column),
            low=column.min if column.min is not None else own.min,
            high=column.max if column.max is not None else own.max,
            given_in=column.given_in,
            scale=column.scale,
            zero=column.zero,
            sign=column.sign,
        )

    def terms(self) -> tuple[Terms, ...]:
        """Return what each column says of its channel, in the order of `columns`."""
        return tuple(self._terms(column) for column in self.columns)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One contribution's recipe."""

    format: Literal["forgia.recipe/1"]
    name: str
    contributor: str
    licence: str
    source: str
    files: tuple[RawFile, ...]
    tables: tuple[TableSpec, ...]
    split: SplitSpec
    policies: tuple[PolicySpec, ...] = ()
    labels: tuple[LabelSpec, ...] = ()
    season_steps: dict[str, int] = field(default_factory=dict)
    generator: GeneratorSpec | None = None
    notes: tuple[str, ...] = ()
    sha256: str = ""  # of the recipe's own text; filled in when it is loaded
