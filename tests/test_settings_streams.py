"""What everloop.toml says of streams: read as it is meant, refused with the cure, and no password ever told."""

from __future__ import annotations

import pytest

from everloop.errors import SettingsError
from everloop.settings import Stream, read_settings


def read(folder, text, **env):
    (folder / "everloop.toml").write_text(text)
    return read_settings(folder, environ=env)


def test_a_stream_brings_rows_or_takes_answers(tmp_path):
    told = read(
        tmp_path,
        '[streams.till]\nurl = "nats://${USER_AND_PASSWORD}@shop:4222"\nsubject = "shop.orders"\nsource = "orders"\n'
        '[streams.out]\nurl = "kafka://a:9092,b:9092"\nsubject = "answers"\nanswers = "*"\n',
        USER_AND_PASSWORD="ann:secret",
    )
    assert told.streams == {
        "till": Stream(url="nats://ann:secret@shop:4222", subject="shop.orders", source="orders"),
        "out": Stream(url="kafka://a:9092,b:9092", subject="answers", answers="*"),
    }
    assert "secret" not in repr(told)


def test_a_stage_may_have_streams_of_its_own(tmp_path):
    one = 'subject = "s"\nsource = "orders"\n'
    text = f'[streams.till]\nurl = "nats://a"\n{one}[prod.streams.till]\nurl = "nats://b"\n{one}'
    (tmp_path / "everloop.toml").write_text(text)
    assert read_settings(tmp_path, stage="prod", environ={}).streams["till"].url == "nats://b"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('url = "nats://h"\nsubject = "s"', 'say either source = "orders"'),
        ('url = "nats://h"\nsubject = "s"\nsource = "a"\nanswers = "b"', 'say either source = "orders"'),
        ('subject = "s"\nsource = "a"', "lacks url."),
        ('url = "nats://h"\nsource = "a"', "lacks subject."),
        ('url = "nats://h"\nsubject = "s.>"\nsource = "a"', "subject must be words of letters"),
        ('url = "nats://h"\nsubject = "s"\nsorce = "a"', "there is no sorce; did you mean source?"),
        ('url = "amqp://ann:secret@h"\nsubject = "s"\nsource = "a"', 'say "nats://127.0.0.1:4222"'),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_cure_and_without_the_password(tmp_path, said, told):
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, f"[streams.till]\n{said}\n")
    assert told in str(refused.value)
    assert "streams.till" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_two_streams_that_say_the_same_are_refused(tmp_path):
    one = 'url = "nats://h"\nsubject = "s"\nsource = "orders"\n'
    with pytest.raises(SettingsError, match=r"streams\.a and streams\.b say the same"):
        read(tmp_path, f"[streams.a]\n{one}[streams.b]\n{one}")
