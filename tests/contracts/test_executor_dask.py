"""Dask futures keep every promise of an executor, also where a worker with results that nobody fetched yet is killed."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from everloop.connect.dask import Dask
from everloop.errors import EverloopError
from everloop.testing.clusters import dask_cluster
from everloop.testing.executor import DyingSuite, ExecutorSuite, slowly_squared

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")]


@pytest.fixture(scope="module")
def cluster():
    with dask_cluster(2) as made:
        yield made


@pytest.fixture(scope="module")
def executor(cluster):
    made = Dask(cluster.url)
    yield made
    made.end()


class TestDask(ExecutorSuite, DyingSuite):
    @pytest.fixture(autouse=True)
    def _made(self, executor):
        self.made = executor

    def executor(self):
        return self.made


def test_a_worker_killed_in_the_middle_loses_nothing(cluster, executor, tmp_path):
    executor.joined().wait_for_workers(2, timeout=60)
    killed = threading.Thread(target=_kill_in_the_middle, args=(cluster, 2, tmp_path))
    killed.start()
    made = executor.map(partial(slowly_squared, str(tmp_path)), range(20))
    killed.join()
    assert made == [x * x for x in range(20)]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) > 20  # what the dead one had under way was begun again


def test_a_scheduler_that_is_not_there_is_told_at_once():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    with pytest.raises(EverloopError, match=rf"No Dask scheduler answers at 127\.0\.0\.1:{port} .* dask scheduler, or mend"):
        Dask(f"dask://127.0.0.1:{port}").map(abs, [1])


def test_one_that_opens_and_says_nothing_is_left_after_a_while():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code = (
            "from everloop.connect.dask import Dask\ntry:\n"
            f"    Dask('dask://127.0.0.1:{silent.getsockname()[1]}', patience=3.0).map(abs, [1])\n"
            "except Exception as error:\n    print(type(error).__name__, error, flush=True)\nimport os\nos._exit(0)\n"
        )
        env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        said = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60).stdout
    assert re.match(r"EverloopError The Dask scheduler at dask:.* was not joined within 3 s", said), said


def _kill_in_the_middle(cluster, node, folder):
    while len(list(folder.iterdir())) < 6:
        time.sleep(0.05)
    cluster.kill(node)
