"""Graphics cards, by a stand-in for NVIDIA's library whose every word the real one has; without it, or without a card, nothing is told."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType, SimpleNamespace

import pytest

from everloop.connect import nvidia
from everloop.connect.nvidia import Gpu, gpus


class NVMLError(Exception):
    """What the library raises."""


def library(cards, *, began=True, silent=()):
    """A stand-in: cards as (name, used, total, busy in percent, milliwatts, degrees); ``silent`` functions say that they cannot."""

    def begins():
        if not began:
            raise NVMLError("Driver Not Loaded")

    said = {
        "nvmlInit": begins,
        "nvmlDeviceGetCount": lambda: len(cards),
        "nvmlDeviceGetHandleByIndex": lambda index: cards[index],
        "nvmlDeviceGetName": lambda handle: handle[0],
        "nvmlDeviceGetMemoryInfo": lambda handle, version=None: SimpleNamespace(used=handle[1], total=handle[2]),
        "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=handle[3], memory=0),
        "nvmlDeviceGetPowerUsage": lambda handle: handle[4],
        "nvmlDeviceGetTemperatureV": lambda handle, sensor, version=1: handle[5],
        "nvmlDeviceGetTemperature": lambda handle, sensor: handle[5],
    }

    def cannot(*_, **__):
        raise NVMLError("Not Supported")

    found = ModuleType("pynvml")
    for name, does in said.items():
        setattr(found, name, cannot if name in silent else does)
    found.NVMLError, found.NVML_TEMPERATURE_GPU = NVMLError, 0
    return found


@pytest.fixture
def there(monkeypatch):
    def put(module):
        monkeypatch.setitem(sys.modules, "pynvml", module)
        nvidia._nvml.cache_clear()

    yield put
    nvidia._nvml.cache_clear()


L4 = ("NVIDIA L4", 2_000, 24_000, 37, 41_500, 55)


def test_each_card_says_how_busy_how_full_and_how_warm_it_is(there):
    there(library([L4, ("NVIDIA L4", 0, 24_000, 0, 13_000, 31)]))
    assert gpus() == [Gpu("0 NVIDIA L4", 2_000, 24_000, 0.37, 41.5, 55.0), Gpu("1 NVIDIA L4", 0, 24_000, 0.0, 13.0, 31.0)]


def test_what_a_card_cannot_say_is_not_known_and_the_rest_is_told(there):
    there(library([L4], silent=("nvmlDeviceGetUtilizationRates", "nvmlDeviceGetPowerUsage")))
    assert gpus() == [Gpu("0 NVIDIA L4", 2_000, 24_000, None, None, 55.0)]


def test_an_older_driver_is_asked_how_warm_it_is_in_the_older_way(there):
    there(library([L4], silent=("nvmlDeviceGetTemperatureV",)))
    assert gpus()[0].celsius == 55.0


def test_a_card_that_is_gone_leaves_the_others(there):
    module = library([L4, L4])
    real = module.nvmlDeviceGetHandleByIndex

    def lost(index):
        if index == 0:
            raise NVMLError("GPU is lost")
        return real(index)

    module.nvmlDeviceGetHandleByIndex = lost
    there(module)
    assert [gpu.name for gpu in gpus()] == ["1 NVIDIA L4"]


@pytest.mark.parametrize("module", [None, library([], began=False), library([]), library([L4], silent=("nvmlDeviceGetCount",))])
def test_without_the_library_the_driver_or_a_card_there_is_nothing_and_no_error(there, module):
    there(module)
    assert gpus() == []


def test_the_library_is_begun_once(there):
    module, begun = library([L4]), []
    module.nvmlInit = lambda: begun.append(1)
    there(module)
    gpus(), gpus()
    assert begun == [1]


def test_the_real_library_has_every_word_of_the_stand_in():
    import pynvml

    for name, ours in vars(library([])).items():
        if name.startswith("nvml"):
            theirs = inspect.signature(getattr(pynvml, name)).parameters
            assert list(theirs)[: len(inspect.signature(ours).parameters)] == list(inspect.signature(ours).parameters), name
    assert issubclass(pynvml.NVMLError, Exception)
    assert pynvml.NVML_TEMPERATURE_GPU == 0
