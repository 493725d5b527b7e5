"""What being watched costs those who answer: every request a trace, one in a hundred, or a line for each; and what scraping costs.

The house of ``bench.serving``, all it can, one worker on the first core; a collector that takes everything stands beside whoever asks. In:
nothing. Out: goals. Costs are CPU per answer, of everything the house started: answers a second depend on what else this machine does.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.goal import Goal, at_least, at_most
from bench.serving_house import Served, the_house
from bench.serving_rivals import EVERLOOP, Rival, all_it_can, free_port, on_core, standing
from bench.wire import once

ROUNDS, SECONDS = 3, 4.0
SCRAPES = 50
COLLECTOR = """
import sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
bodies = []
class Take(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *words):
        pass
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Take)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
read = map(ExportTraceServiceRequest.FromString, bodies)
roots = [not span.parent_span_id for said in read for r in said.resource_spans for s in r.scope_spans for span in s.spans]
print(len(roots), sum(roots), flush=True)
"""


def traces() -> Iterator[Goal]:
    """CPU of an answer with traces, one in a hundred of them, and with lines, over that of one without; and what became of the spans."""
    with collector() as (url, count):
        there = {"OTEL_EXPORTER_OTLP_ENDPOINT": url}
        some = there | {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}
        traced = "[serving]\ntraces = true\n"
        ways = {
            "none": EVERLOOP,
            "all": watched(traced, there),
            "one in a hundred": watched(traced, some),
            "lines": watched('[logs]\nform = "json"\nrequests = true\n', {}),
        }
        spent: dict[str, list[float]] = {name: [] for name in ways}
        rates: dict[str, list[float]] = {name: [] for name in ways}
        asked = 0
        for number in range(ROUNDS):
            for name in ways if number % 2 == 0 else reversed(ways):
                with standing(ways[name], the_house()) as stands, on_core(1):
                    heard, cpu = all_it_can(stands, seconds=SECONDS)
                spent[name].append(1e6 * cpu / heard.count)
                rates[name].append(heard.rate)
                asked += heard.count if name == "all" else 0
                print(f"  round {number + 1}, {name}: {spent[name][-1]:,.0f} µs CPU, {heard.rate:,.0f}/s", file=sys.stderr, flush=True)
        spans, roots = count()

    def over(name: str) -> tuple[float, str]:
        ratio = statistics.median(a / b for a, b in zip(spent[name], spent["none"], strict=True))
        figures = (f"{statistics.median(spent[n]):,.0f} µs, {statistics.median(rates[n]):,.0f}/s" for n in (name, "none"))
        return ratio, " against ".join(figures)

    ratio, beside = over("all")
    yield at_most("CPU of an answer that is traced, over one that is not", ratio, 4, "times", beside)
    ratio, beside = over("one in a hundred")
    yield at_most("CPU of an answer where one in a hundred is traced, over none", ratio, 1.25, "times", beside)
    ratio, beside = over("lines")
    yield at_most("CPU of an answer with a line of JSON for each, over none", ratio, 2, "times", beside)
    held = f"{spans:,} spans of {roots:,} requests arrived, about {asked:,} asked in the timed part"
    yield at_least("spans of a traced answer, asked of two versions", spans / max(1, roots), 4, "spans", held)


def scrapes() -> Iterator[Goal]:
    """CPU of one look at the metrics, processes and graphics cards with them."""
    asking = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with standing(EVERLOOP, the_house()) as stands, on_core(1):
        once(stands.url, asking)
        before, began = stands.spent(), time.monotonic()
        sizes = [len(once(stands.url, asking)[1]) for _ in range(SCRAPES)]
        took, cpu = time.monotonic() - began, stands.spent() - before
    yield at_most(
        "CPU of one look at the metrics",
        1e3 * cpu / SCRAPES,
        20,
        "ms",
        f"{statistics.median(sizes):,.0f} bytes, {1e3 * took / SCRAPES:.1f} ms",
    )


def watched(toml: str, around: dict[str, str]) -> Rival:
    """The house with these settings beside its project."""

    def start(served: Served, folder: Path, port: int) -> Sequence[str]:
        words = EVERLOOP.start(served, folder, port)
        (folder / "project" / "everloop.toml").write_text(toml)
        return words

    return replace(EVERLOOP, start=start, settings=around)


@contextmanager
def collector() -> Iterator[tuple[str, Callable[[], tuple[int, int]]]]:
    """Where OTLP is taken, in a process of its own; what is called at the end says how many spans came, and how many had no parent."""
    port = free_port()
    with (
        on_core(1),
        subprocess.Popen(
            [sys.executable, "-c", COLLECTOR, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()

        def count() -> tuple[int, int]:
            assert process.stdout is not None
            assert process.stdin is not None
            process.stdin.close()
            spans, roots = process.stdout.readline().split()
            return int(spans), int(roots)

        try:
            yield f"http://127.0.0.1:{port}", count
        finally:
            process.kill()
