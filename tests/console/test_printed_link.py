"""The link that is printed at start: it opens from this machine, wherever the house listens, and whatever the run before left."""

from __future__ import annotations

import socket

from everloop.loop.serve.announced import answering
from everloop.loop.serve.served import FILE, LINK, served
from everloop.loop.serve.serving import Serving
from everloop.settings import read_settings


def test_the_link_is_of_this_machine_and_said_also_where_the_run_before_was_killed(tmp_path):
    settings = read_settings(tmp_path, environ={})
    settings.house.mkdir(parents=True)
    (settings.house / FILE).write_text("{}")
    link = settings.house / LINK
    link.write_text("/console/enter/once")
    serving = Serving(tmp_path / "project.py", settings)
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        port = listener.getsockname()[1]
        said = answering(serving, listener, [7], first=True)
        again = answering(serving, listener, [8], first=False)  # a worker was replaced
    assert [line.partition(" (")[0] for line in said] == [
        f"Everloop answers on http://0.0.0.0:{port}",
        f"The console opens from this machine, once: http://127.0.0.1:{port}/console/enter/once",
    ]
    assert again == []
    assert not link.exists()
    assert served(settings.house)["workers"] == [8]
