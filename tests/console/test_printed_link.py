"""The link that is printed at start: it opens from this machine, wherever the house listens, and whatever the run before left."""

from __future__ import annotations

import socket
from types import SimpleNamespace

from everloop.loop.serve.supervise import FILE, LINK, _Tree
from everloop.settings import read_settings


def test_the_link_is_of_this_machine_and_said_also_where_the_run_before_was_killed(tmp_path):
    settings = read_settings(tmp_path, environ={})
    settings.house.mkdir(parents=True)
    (settings.house / FILE).write_text("{}")
    link = settings.house / LINK
    link.write_text("/console/enter/once")
    said = []
    worker = SimpleNamespace(works=True, lasts=True, ready=True, pid=7, listens=True)
    serving = SimpleNamespace(settings=settings, as_json=False, turned=False)
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        port = listener.getsockname()[1]
        tree = _Tree(serving, listener, said.append, [worker])
        tree._announce()
        tree.announced = False
        tree._announce()  # a worker was replaced
        tree.selector.close()
    assert [line.partition(" (")[0] for line in said] == [
        f"Everloop answers on http://0.0.0.0:{port}",
        f"The console opens from this machine, once: http://127.0.0.1:{port}/console/enter/once",
    ]
    assert not link.exists()
