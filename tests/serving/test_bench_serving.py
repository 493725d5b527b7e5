"""What the serving bench measures with: the light client, the count of old answers, and which sections a command names."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from bench.__main__ import chosen, keep
from bench.goal import Goal
from bench.serving_swaps import Answer, Swap, old_answers
from bench.wire import body_of, closed, once, opened, request

ASKING = request("/", b"{}")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def server(reply: Callable[[socket.socket, int], None]) -> Iterator[str]:
    """A server that calls ``reply`` for each request, with how many came before it; each connection in a thread of its own."""
    listener, count, lock = socket.create_server(("127.0.0.1", 0)), iter(range(1_000_000)), threading.Lock()

    def serve(line: socket.socket) -> None:
        with line:
            try:
                while line.recv(65536):
                    with lock:
                        number = next(count)
                    reply(line, number)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(line,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def in_pieces(*pieces: bytes) -> Callable[[socket.socket, int], None]:
    def reply(line: socket.socket, _: int) -> None:
        for piece in pieces:
            line.sendall(piece)
            time.sleep(0.01)

    return reply


@pytest.mark.parametrize(
    "pieces",
    [
        (ANSWER,),
        (ANSWER[:9], ANSWER[9:20], ANSWER[20:-1], ANSWER[-1:]),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n", b"{}\r\n0\r\n", b"\r\n"),
    ],
)
def test_an_answer_is_heard_as_a_whole_however_it_comes(pieces):
    with server(in_pieces(*pieces)) as url:
        assert once(url, ASKING) == (200, b"".join(pieces))


def test_what_is_no_success_is_told_apart():
    with server(in_pieces(b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy")) as url:
        heard = closed(url, [ASKING], connections=2, seconds=0.1)
    assert (heard.failed, heard.rate, body_of(heard.wrong)) == (heard.count, 0.0, b"busy")


def test_who_hangs_up_is_counted_and_asked_again():
    def reply(line: socket.socket, number: int) -> None:
        line.close() if number % 3 == 2 else line.sendall(ANSWER)

    with server(reply) as url:
        heard = closed(url, [ASKING], connections=1, seconds=0.2)
    assert heard.broken >= 2
    assert heard.statuses[200] >= 2


def test_a_server_that_pauses_cannot_hide_it_from_moments_that_were_settled():
    def reply(line: socket.socket, number: int) -> None:
        time.sleep(0.4 if number == 20 else 0.001)
        line.sendall(ANSWER)

    with server(reply) as url:
        waited = opened(url, [ASKING], rate=100, seconds=1, connections=1)
    with server(reply) as url:
        hidden = closed(url, [ASKING], connections=1, seconds=1)
    # Forty of a hundred had to wait; asked one after the other, a single one did.
    assert waited.quantile(0.8) > 0.1
    assert hidden.quantile(0.8) < 0.1


def test_the_same_seed_asks_at_the_same_moments():
    with server(in_pieces(ANSWER)) as url:
        assert len({opened(url, [ASKING], rate=50, seconds=0.3, seed=4).count for _ in range(2)}) == 1


def test_what_cannot_be_sent_in_time_is_told():
    with server(lambda line, number: line.sendall(ANSWER) if number < 3 else None) as url:
        heard = opened(url, [ASKING], rate=100, seconds=0.2, connections=1, patience=0.2)
    assert (heard.count, heard.broken) == (3, 1)
    assert heard.unsent >= 5


def test_an_old_answer_is_one_asked_for_when_all_had_said_so():
    made = [Swap(1.0, 1.1, "a", False, True), Swap(2.0, 2.1, "b", True, True)]
    fine = [Answer(0.5, "b"), Answer(1.05, "b"), Answer(1.5, "a"), Answer(2.05, "a"), Answer(2.05, "b"), Answer(3.0, "b")]
    assert old_answers(made, fine) == 0
    assert old_answers(made, [*fine, Answer(1.5, "b"), Answer(3.0, "a")]) == 2


def test_sections_are_those_of_the_bench_before_them():
    assert chosen(["ring", "serving", "swaps", "tax"]) == {"ring": (), "serving": ("swaps", "tax")}
    for words in (["swaps"], ["ring", "swaps"], ["serving", "nothing"]):
        with pytest.raises(ValueError, match="There is no bench"):
            chosen(words)


def test_a_section_measured_alone_leaves_what_is_known_of_the_others(tmp_path):
    path = tmp_path / "serving.json"
    keep(path, [Goal("a", 1, 1, "", True), Goal("b", 1, 1, "", True)], some=False)
    keep(path, [Goal("b", 2, 1, "", True)], some=True)
    assert {one["name"]: one["value"] for one in json.loads(path.read_text())} == {"a": 1, "b": 2}
