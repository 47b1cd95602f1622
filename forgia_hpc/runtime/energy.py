"""Energy of a job: a plugin's figure, else counters that we may read, else a model, each with bounds; never 0."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from forgia_hpc.rundir import RunDir

RAPL = Path("/sys/class/powercap")
EVERY_S = 60.0  # a package counter of 262 kJ at 400 W begins anew after 11 minutes
_JOULES_KWH = 3.6e6
# Watts at full load by data sheet, of what Slurm counts as one GPU (NVIDIA: SXM modules; AMD: half a module).
_GPU_W = {
    "GH200": 900.0,
    "H200": 700.0,
    "H100": 700.0,
    "A100": 400.0,
    "V100": 300.0,
    "MI250X": 280.0,
}
_UNKNOWN_GPU_W = 500.0
_CORE_W = 8.0  # e.g. Xeon 8358: 250 W, 32 cores
_GB_W = 0.3  # memory and its share of fans, network and power supply
_IDLE, _USUAL, _FULL = (
    0.2,
    0.6,
    1.15,
)  # shares of that: our own assumption, therefore the wide bounds


@dataclass(frozen=True, kw_only=True)
class Energy:
    """kWh with bounds. source: plugin | counters | model."""

    kwh: float
    low_kwh: float
    high_kwh: float
    source: str
    note: str

    def as_json(self) -> dict[str, Any]:
        """Return the energy for receipt.json."""
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(self).items()}


def by_plugin(joules: float, *, shared: bool) -> Energy:
    """Return what Slurm's energy plugin counted: of whole nodes, also where others were on them."""
    kwh = joules / _JOULES_KWH
    note = "Slurm's ConsumedEnergyRaw; +-10 % assumed, the site states no accuracy"
    if shared:
        note += "; the node was shared, so neighbours are in it"
    low = 0.25 if shared else 0.9
    return Energy(kwh=kwh, low_kwh=low * kwh, high_kwh=1.1 * kwh, source="plugin", note=note)


def by_model(
    *, gpus: float, gpu_model: str | None, cores: float, mem_gb: float, seconds: float
) -> Energy:
    """Return a guess from data sheets: `seconds` of so many GPUs, cores and GB of memory."""
    watts = gpus * gpu_watts(gpu_model) + cores * _CORE_W + mem_gb * _GB_W
    full = watts * seconds / _JOULES_KWH
    return Energy(
        kwh=_USUAL * full,
        low_kwh=_IDLE * full,
        high_kwh=_FULL * full,
        source="model",
        note="modelled: no plugin and no counter; data sheet watts of what was held, 20 to 115 %",
    )


def by_counters(joules: Mapping[str, float], modelled: Energy, *, nodes: int) -> Energy:
    """Return what counters of one node said, for all nodes; what they leave out comes from the model.

    Args:
        joules: by counter name: `gpu…` (NVML), `cpu…` (RAPL).
        modelled: the model of the parts without a counter, for all nodes.
        nodes: of the job; one was measured.
    """
    measured = sum(joules.values()) * nodes / _JOULES_KWH
    spread = 0.05 if nodes == 1 else 0.2
    heard = ", ".join(sorted({name[:3] for name in joules}))
    return Energy(
        kwh=measured + modelled.kwh,
        low_kwh=(1 - spread) * measured + modelled.low_kwh,
        high_kwh=(1 + spread) * measured + modelled.high_kwh,
        source="counters",
        note=f"counters of {heard} on 1 of {nodes} node(s), whole devices; the rest modelled",
    )


def gpu_watts(model: str | None) -> float:
    """Return the watts of one GPU at full load by its data sheet; of an unknown one a middle figure."""
    return next((w for key, w in _GPU_W.items() if model and key in model), _UNKNOWN_GPU_W)


# --- counters -------------------------------------------------------------------------------------


def read_counters(root: Path = RAPL) -> dict[str, tuple[float, float]]:
    """Return each readable counter: joules, and where it begins anew (0: never)."""
    return {**_rapl(root), **_nvml()}


def _rapl(root: Path) -> dict[str, tuple[float, float]]:
    """Read the packages' counters; most sites keep them for root since 2020 (CVE-2020-8694)."""
    found = {}
    for folder in sorted(root.glob("intel-rapl:[0-9]")) + sorted(
        root.glob("intel-rapl:[0-9][0-9]")
    ):
        try:
            now = int((folder / "energy_uj").read_text()) / 1e6
            most = int((folder / "max_energy_range_uj").read_text()) / 1e6
        except (OSError, ValueError):
            continue
        found[f"cpu {folder.name}"] = (now, most)
    return found


def _nvml() -> dict[str, tuple[float, float]]:
    """Ask NVML; nothing where there is no NVIDIA driver. Volta and newer count millijoules."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return {}
    if nvml.nvmlInit_v2():
        return {}
    try:
        count, found = ctypes.c_uint(), {}
        nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
        for index in range(count.value):
            device, spent = ctypes.c_void_p(), ctypes.c_ulonglong()
            refused = nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device))
            if not refused and not nvml.nvmlDeviceGetTotalEnergyConsumption(
                device, ctypes.byref(spent)
            ):
                found[f"gpu {index}"] = (spent.value / 1e3, 0.0)
        return found
    finally:
        nvml.nvmlShutdown()


@dataclass
class Meter:
    """Reads the counters of this node while a job runs, and leaves one `energy` event at its end."""

    run: RunDir
    attempt: int
    read: Callable[[], dict[str, tuple[float, float]]] = read_counters
    joules: dict[str, float] = field(default_factory=dict)
    _last: dict[str, tuple[float, float]] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Meter:
        """Begin; where nothing can be read, nothing more is done."""
        self._last = self.read()
        if self._last:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Read a last time and write it down."""
        if not self._last:
            return
        self._over.set()
        self._thread.join()
        self.sample()
        self.run.event("energy", attempt=self.attempt, joules=self.joules, nodes_measured=1)

    def sample(self) -> None:
        """Add what was spent since the last reading."""
        now = self.read()
        for name, (value, most) in now.items():
            before = self._last.get(name, (value, most))[0]
            spent = value - before if value >= before else value - before + most
            self.joules[name] = self.joules.get(name, 0.0) + max(0.0, spent)
        self._last = now or self._last

    def _watch(self) -> None:
        while not self._over.wait(EVERY_S):
            self.sample()
