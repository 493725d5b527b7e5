"""Counters that outlive their worker, and the text Prometheus reads."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from everloop.serving import metrics as module
from everloop.serving.gauges import read as read_gauges
from everloop.serving.gauges import write
from everloop.serving.metrics import EDGES, FAMILIES, Metrics, series


def samples(text):
    """Every sample, as Prometheus' own parser reads it: (name, labels) → value."""
    found = {}
    for family in text_string_to_metric_families(text):
        for s in family.samples:
            key = (s.name, tuple(sorted(s.labels.items())))
            assert key not in found, "a series comes twice"
            found[key] = s.value
    return found


def value(text, name, **labels):
    return samples(text).get((name, tuple(sorted(labels.items()))))


def test_what_is_counted_is_what_prometheus_reads(tmp_path):
    with Metrics(tmp_path, "w") as metrics:
        metrics.request("/v1/status", 200, 0.004)
        metrics.request("/v1/status", 200, 100.0)
        metrics.dropped(3)
        text = metrics.said()
    assert value(text, "everloop_requests_total", route="/v1/status", status="200") == 2
    assert value(text, "everloop_answers_dropped_total") == 3
    assert value(text, "everloop_request_seconds_bucket", route="/v1/status", le="0.0025") == 0
    assert value(text, "everloop_request_seconds_bucket", route="/v1/status", le="0.005") == 1
    assert value(text, "everloop_request_seconds_bucket", route="/v1/status", le="60") == 1
    assert value(text, "everloop_request_seconds_bucket", route="/v1/status", le="+Inf") == 2
    assert value(text, "everloop_request_seconds_count", route="/v1/status") == 2
    assert value(text, "everloop_request_seconds_sum", route="/v1/status") == pytest.approx(100.004)


def test_every_metric_says_what_it_is(tmp_path):
    with Metrics(tmp_path, "w") as metrics:
        for name, family in FAMILIES.items():
            if family.kind == "gauge":
                write(tmp_path, {series(name, family.labels): 1.0, **read_gauges(tmp_path)})
                continue
            (metrics.add if family.kind == "counter" else lambda n, *at: metrics.observe(n, 0.1, *at))(name, *family.labels)
        read = {family.name: family for family in text_string_to_metric_families(metrics.said())}
    for name, family in FAMILIES.items():
        known = read[name.removesuffix("_total")]
        assert (known.type, known.documentation) == (family.kind, family.says)
        assert known.samples


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1000), max_size=30))
def test_buckets_hold_what_is_at_most_their_edge(tmp_path_factory, seconds):
    with Metrics(tmp_path_factory.mktemp("m"), "w") as metrics:
        for s in seconds:
            metrics.observe("everloop_request_seconds", s, "/")
        text = metrics.said()
    for edge in EDGES if seconds else ():
        expected = sum(s <= edge for s in seconds)
        le = next(k for k in (str(edge), str(int(edge))) if value(text, "everloop_request_seconds_bucket", route="/", le=k) is not None)
        assert value(text, "everloop_request_seconds_bucket", route="/", le=le) == expected


@settings(max_examples=100)
@given(st.text(max_size=80))
def test_a_label_may_be_any_text(tmp_path_factory, label):
    folder = tmp_path_factory.mktemp("m")
    with Metrics(folder, "w") as metrics:
        metrics.add("everloop_answer_errors_total", label)
    with Metrics(folder, "w") as metrics:  # read again from the file: the same series
        metrics.add("everloop_answer_errors_total", label)
        read = {labels: v for (name, labels), v in samples(metrics.said()).items() if name == "everloop_answer_errors_total"}
    assert read == {(("model", label),): 2}


def test_a_label_that_breaks_out_would_be_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_escaped", lambda value: value)  # the mutant
    with Metrics(tmp_path, "w") as metrics:
        metrics.add("everloop_answer_errors_total", 'x"} 5\neverloop_told_total 77 #')
        assert value(metrics.said(), "everloop_told_total") == 77


def test_what_has_not_happened_yet_is_told_as_0_so_that_its_first_time_is_an_increase(tmp_path):
    with Metrics(tmp_path, "a") as metrics:
        for name in ("everloop_answers_dropped_total", "everloop_shadows_dropped_total", "everloop_series_dropped_total"):
            assert value(metrics.said(), name) == 0
        metrics.dropped(7)
        assert value(metrics.said(), "everloop_answers_dropped_total") == 7
        assert value(metrics.said(), "everloop_worker_started_total") == 1


def test_any_worker_tells_the_sums_of_all(tmp_path):
    with Metrics(tmp_path, "a") as a, Metrics(tmp_path, "b") as b:
        a.add("everloop_answers_dropped_total")
        b.add("everloop_answers_dropped_total", count=2)
        assert value(a.said(), "everloop_answers_dropped_total") == value(b.said(), "everloop_answers_dropped_total") == 3


def test_a_worker_that_was_killed_is_gone_on_with(tmp_path):
    script = (
        "import os,sys; from everloop.serving.metrics import Metrics; m = Metrics(sys.argv[1], sys.argv[2]);"
        "m.dropped(); os.kill(os.getpid(), 9)"
    )
    for name in ("w1", "w2", "w3"):
        assert subprocess.run([sys.executable, "-c", script, str(tmp_path), name], check=False).returncode == -9
    assert len(list(tmp_path.iterdir())) == 1
    text = Metrics.text(tmp_path)
    assert value(text, "everloop_answers_dropped_total") == value(text, "everloop_worker_started_total") == 3


def test_two_living_workers_never_share_a_file(tmp_path):
    with Metrics(tmp_path, "w") as a, Metrics(tmp_path, "w") as b:
        assert a.path != b.path


def test_totals_never_go_back_while_workers_come_and_go(tmp_path):
    last = 0.0
    for n in range(6):
        with Metrics(tmp_path, f"w{n}") as metrics:
            metrics.dropped()
            now = value(metrics.said(), "everloop_answers_dropped_total")
        assert now == last + 1
        last = now


def test_threads_lose_no_count(tmp_path):
    with Metrics(tmp_path, "w") as metrics:
        threads = [threading.Thread(target=lambda: [metrics.dropped() for _ in range(2_000)]) for _ in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert value(metrics.said(), "everloop_answers_dropped_total") == 8_000


def test_what_there_is_no_room_for_is_counted_as_such(tmp_path):
    with Metrics(tmp_path, "w") as metrics:
        for n in range(10_000):
            metrics.add("everloop_answer_errors_total", f"{n:0150}")
        text, size = metrics.said(), metrics.path.stat().st_size
    read = samples(text)
    there = sum(v for (name, _), v in read.items() if name == "everloop_answer_errors_total")
    assert 0 < there < 10_000
    assert there + value(text, "everloop_series_dropped_total") == 10_000
    assert size == module.SIZE


def test_the_room_is_taken_from_the_disk_at_the_start(tmp_path):
    with Metrics(tmp_path, "w") as metrics:
        assert metrics.path.stat().st_blocks * 512 >= module.SIZE


def test_where_the_disk_has_no_room_counting_goes_on_in_memory(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "posix_fallocate", full)
    with Metrics(tmp_path, "w") as metrics:
        metrics.dropped(5)
        assert metrics.path is None
        assert value(metrics.said(), "everloop_answers_dropped_total") == 5


@pytest.mark.parametrize("held", [b"", b"\0" * 100, b"EVMETR01", b"EVMETR01" + b"\xff" * 600_000, b"something else", os.urandom(5000)])
def test_a_file_that_is_none_costs_nothing(tmp_path, held):
    (tmp_path / "odd.metrics").write_bytes(held)
    with Metrics(tmp_path, "w") as metrics:
        metrics.dropped()
        assert value(metrics.said(), "everloop_answers_dropped_total") == 1


def test_what_rotted_is_given_up_and_counting_goes_on_behind_what_is_good(tmp_path):
    with Metrics(tmp_path, "w") as metrics:
        metrics.dropped(2)
        metrics.add("everloop_answer_errors_total", "churn")
        path = metrics.path
    held = bytearray(path.read_bytes())
    at = held.index(b"everloop_answer_errors_total") - 8
    held[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(held)
    with Metrics(tmp_path, "w") as metrics:
        metrics.add("everloop_answer_errors_total", "churn")
        assert value(metrics.said(), "everloop_answer_errors_total", model="churn") == 1
        assert value(metrics.said(), "everloop_answers_dropped_total") == 2


def test_a_link_to_somewhere_else_is_not_followed(tmp_path):
    target = tmp_path / "precious"
    target.write_bytes(b"")
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "w.metrics").symlink_to(target)
    with Metrics(folder, "w") as metrics:
        assert metrics.path.name == "w-2.metrics"
    assert target.read_bytes() == b""
