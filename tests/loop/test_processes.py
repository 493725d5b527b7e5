"""What each process of a house has used: by its name, its nameless children together, and never less than before."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from everloop.connect.nvidia import Gpu
from everloop.loop.serve.processes import Used, beside, gpu_gauges, present, process_gauges, processes, used_by
from everloop.serving.metrics import Metrics, series

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def proc(tmp_path):
    """A made-up /proc: give it a process, its parent, its ticks and its name."""

    def add(pid, parent=None, *, ticks=0, buried=0, pages=0, name=None, called="python (x) y"):
        folder = tmp_path / str(pid)
        (folder / "task" / str(pid)).mkdir(parents=True)
        (folder / "task" / str(pid) / "children").write_text("")
        # proc(5): field 14 is utime, 15 stime, 16 and 17 those of buried children, 22 when it began.
        fields = ["S", *["0"] * 10, str(ticks), "0", str(buried), "0", *["0"] * 4, str(pid * 7), "0"]
        (folder / "stat").write_text(f"{pid} ({called}) {' '.join(fields)}\n")
        (folder / "statm").write_text(f"{pages * 3} {pages} 0 0 0 0 0\n")
        (folder / "cmdline").write_text("\0".join(["python", "-m", "everloop.x", *(["--name", name] if name else [])]))
        if parent is not None:
            beside = tmp_path / str(parent) / "task" / str(parent) / "children"
            beside.write_text(f"{beside.read_text()}{pid} ")
        return tmp_path

    return add


def test_each_process_is_told_by_its_name_and_what_learns_by_who_started_it(proc):
    proc(1, ticks=TICK, pages=2, buried=900 * TICK)
    proc(2, 1, ticks=5 * TICK, pages=10, name="worker 1")
    proc(3, 1, ticks=2 * TICK, pages=7, name="controller")
    proc(4, 3, ticks=TICK, pages=4, buried=30 * TICK)
    where = proc(5, 4, ticks=8 * TICK, pages=100)
    found = {name: (used.cpu_seconds, used.memory_bytes // PAGE) for name, used in processes(1, proc=where).items()}
    assert found == {"supervisor": (1, 2), "worker 1": (5, 10), "controller": (2, 7), "controller children": (39, 104)}


def test_what_learnt_and_has_ended_stays_counted(proc):
    proc(1)
    proc(2, 1, name="controller")
    where = proc(3, 2, ticks=TICK, buried=30 * TICK)
    before = processes(1, proc=where)["controller children"].cpu_seconds
    (where / "2" / "task" / "2" / "children").write_text("")
    (where / "2" / "stat").write_text(f"2 (python) S {'0 ' * 12}{31 * TICK} 0 0 0 0 0 14 0")
    assert processes(1, proc=where)["controller children"].cpu_seconds == before == 31


def test_two_of_one_name_are_told_together(proc):
    proc(1)
    proc(2, 1, ticks=5 * TICK, pages=1, name="worker 1")
    where = proc(3, 1, ticks=TICK, pages=2, name="worker 1")
    used = processes(1, proc=where)["worker 1"]
    assert (used.cpu_seconds, used.memory_bytes) == (6, 3 * PAGE)


def test_where_nothing_is_said_of_others_there_is_nothing_to_tell(tmp_path):
    assert processes(1, proc=tmp_path / "none") == {}
    assert list(process_gauges({})) == []


def test_what_a_process_works_and_holds_is_what_is_told_of_it():
    code = "import sys, time; held = bytearray(60_000_000); held[::4096] = b'x' * len(held[::4096])\nbegan = time.process_time()\n"
    code += "while time.process_time() - began < 0.4: pass\nprint(time.process_time(), flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code, "-m", "--name", "worker 7"], stdin=-1, stdout=-1, text=True) as child:
        worked = float(child.stdout.readline())
        found = processes(os.getpid())["worker 7"]
        child.stdin.close()
    assert worked - 0.05 <= found.cpu_seconds <= worked + 0.3
    assert 60_000_000 < found.memory_bytes < 160_000_000


def test_who_works_for_a_house_beside_whoever_answers_is_found_while_it_works(tmp_path):
    nobody = 2**22 + 1
    with present(tmp_path, "joined"):
        told = beside(nobody, tmp_path)
        assert told[series("everloop_process_memory_bytes", ("joined supervisor",))] > 0
    assert beside(nobody, tmp_path) == {}


def test_who_died_without_a_word_is_put_away_and_nobody_else_is_taken_for_it(tmp_path):
    left = tmp_path / f"{os.getpid()}.process"
    left.write_text(f'{{"pid": {os.getpid()}, "name": "dead", "began": 1}}')  # its number is ours now
    assert used_by(os.getpid()).began != 1
    assert beside(2**22 + 1, tmp_path) == {}
    assert not left.exists()


@pytest.mark.parametrize("held", ["", "{", '{"pid": 1}', '{"pid": "x", "name": "y", "began": 1}', "[]"])
def test_a_word_that_is_still_being_written_costs_nothing(tmp_path, held):
    (tmp_path / "1.process").write_text(held)
    assert beside(2**22 + 1, tmp_path) == {}


def test_the_metrics_tell_it_when_they_are_asked(tmp_path):
    with Metrics(tmp_path, "w") as metrics:
        assert 'process="' not in metrics.said()
        metrics.beside = lambda: dict(process_gauges({"worker 1": Used(1.5, memory_bytes=7)}))
        said = metrics.said()
    assert 'everloop_process_cpu_seconds_total{process="worker 1"} 1.5' in said
    assert 'everloop_process_memory_bytes{process="worker 1"} 7' in said


def test_a_card_tells_what_it_can_and_nothing_it_cannot(monkeypatch):
    monkeypatch.setattr("everloop.connect.nvidia.gpus", lambda: [Gpu("0 L4", 5, 9, 0.25, 31.5, 40.0), Gpu("1 MIG", memory_used=1)])
    assert dict(gpu_gauges()) == {
        'everloop_gpu_busy_share{gpu="0 L4"}': 0.25,
        'everloop_gpu_memory_bytes{gpu="0 L4",of="used"}': 5.0,
        'everloop_gpu_memory_bytes{gpu="0 L4",of="total"}': 9.0,
        'everloop_gpu_watts{gpu="0 L4"}': 31.5,
        'everloop_gpu_celsius{gpu="0 L4"}': 40.0,
        'everloop_gpu_memory_bytes{gpu="1 MIG",of="used"}': 1.0,
    }
