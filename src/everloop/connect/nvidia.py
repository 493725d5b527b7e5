"""Graphics cards by NVIDIA: how busy, how full and how warm each is, as NVML says (https://docs.nvidia.com/deploy/nvml-api).

Asked where ``everloop[gpu]`` is installed. Where it is not, and where there is no card or no driver, there is nothing to tell and nothing
goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Gpu:
    """One card as it stands now. ``name``: its number and what it is; bytes of memory; what it cannot say is None.

    ``busy`` is the share of the time of the last sample (up to a second) in which it did anything at all.
    """

    name: str
    memory_used: int | None = None
    memory_total: int | None = None
    busy: float | None = None
    watts: float | None = None
    celsius: float | None = None


def gpus() -> list[Gpu]:
    """Every card of this machine that can be asked, in NVML's order.

    >>> isinstance(gpus(), list)
    True
    """
    nvml = _nvml()
    if nvml is None:
        return []
    count = _said(nvml, nvml.nvmlDeviceGetCount) or 0
    handles = [_said(nvml, nvml.nvmlDeviceGetHandleByIndex, number) for number in range(count)]
    return [_gpu(nvml, number, handle) for number, handle in enumerate(handles) if handle is not None]


@cache
def _nvml() -> Any:
    """The library, begun once in a process; None where it is not there, or finds no driver."""
    try:
        import pynvml
    except ModuleNotFoundError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _gpu(nvml: Any, number: int, handle: Any) -> Gpu:
    memory, rates = _said(nvml, nvml.nvmlDeviceGetMemoryInfo, handle), _said(nvml, nvml.nvmlDeviceGetUtilizationRates, handle)
    called, milliwatts = _said(nvml, nvml.nvmlDeviceGetName, handle), _said(nvml, nvml.nvmlDeviceGetPowerUsage, handle)
    return Gpu(
        name=f"{number} {called or 'GPU'}",
        memory_used=None if memory is None else int(memory.used),
        memory_total=None if memory is None else int(memory.total),
        busy=None if rates is None else rates.gpu / 100,
        watts=None if milliwatts is None else milliwatts / 1000,
        celsius=_celsius(nvml, handle),
    )


def _celsius(nvml: Any, handle: Any) -> float | None:
    # The newer of the two is not in every driver, the older one is to go.
    for name in ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature"):
        ask = getattr(nvml, name, None)
        degrees = _said(nvml, ask, handle, nvml.NVML_TEMPERATURE_GPU) if ask is not None else None
        if degrees is not None:
            return float(degrees)
    return None


def _said(nvml: Any, ask: Callable[..., T], *given: Any) -> T | None:
    """What the library says; None where the card cannot say it, or is gone."""
    try:
        return ask(*given)
    except nvml.NVMLError:
        return None
