"""Ray tasks keep every promise of an executor, on two nodes, one of which is killed in the middle; nobody waits for a head that is not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from everloop.connect.ray import Ray
from everloop.errors import EverloopError
from everloop.testing.clusters import ray_cluster
from everloop.testing.executor import DyingSuite, ExecutorSuite, slowly_squared

# Ray's own threads and sockets are closed when it likes.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")]


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster(2) as made, pytest.MonkeyPatch.context() as patch:
        for name, value in made.environment.items():
            patch.setenv(name, value)
        yield made


@pytest.fixture(scope="module")
def executor(cluster):
    import ray

    yield Ray(cluster.url)
    ray.shutdown()


class TestRay(ExecutorSuite, DyingSuite):
    @pytest.fixture(autouse=True)
    def _made(self, executor):
        self.made = executor

    def executor(self):
        return self.made


def test_both_nodes_do_some_and_one_killed_in_the_middle_loses_nothing(cluster, executor, tmp_path):
    import ray

    for _ in range(100):
        if len([node for node in ray.nodes() if node["Alive"]]) == 2:
            break
        time.sleep(0.2)
    killed = threading.Thread(target=_kill_in_the_middle, args=(cluster, 1, tmp_path))
    killed.start()
    made = executor.map(partial(slowly_squared, str(tmp_path)), range(20))
    killed.join()
    assert made == [x * x for x in range(20)]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) > 20  # what the dead one had under way was begun again


def test_a_head_that_is_not_there_is_told_at_once():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.2", 0))
        port = nobody.getsockname()[1]
    with pytest.raises(EverloopError, match=rf"No head of a Ray cluster answers at 127\.0\.0\.2:{port} .* ray start --head, or mend"):
        _apart(f"ray+node://127.0.0.2:{port}")


def test_one_that_opens_and_says_nothing_is_left_after_a_while():
    with socket.create_server(("127.0.0.2", 0)) as silent:
        url = f"ray+node://127.0.0.2:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(EverloopError, match=r"was not joined within 4 s"):
            _apart(url, patience=4.0)
        assert time.monotonic() - began < 20


def _apart(url, **words):
    """In a process that has joined nothing: this one stays in its cluster, and an attempt that hangs would stay, too."""
    code = f"from everloop.connect.ray import Ray\ntry:\n    Ray({url!r}, **{words!r}).map(abs, [1])\n"
    code += "except Exception as error:\n    print(type(error).__name__, error, flush=True)\nimport os\nos._exit(0)\n"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    said = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120).stdout
    assert said.startswith("EverloopError "), said
    raise EverloopError(said.removeprefix("EverloopError "))


def _kill_in_the_middle(cluster, node, folder):
    while len(list(folder.iterdir())) < 6:
        time.sleep(0.05)
    cluster.kill(node)
