"""``[executor]``: one line says where work of many pieces is done; what cannot be meant is told, and a password in a URL is not."""

from __future__ import annotations

import pytest

from everloop.errors import SettingsError
from everloop.settings import Executor, read_settings


def said(tmp_path, text, **environ):
    (tmp_path / "everloop.toml").write_text(text)
    return read_settings(tmp_path, environ=environ).executor


def test_nothing_said_is_one_piece_after_another(tmp_path):
    assert said(tmp_path, "") == Executor(url=None, workers=None)


@pytest.mark.parametrize("url", ["processes", "ray", "ray://head:10001", "ray+node://10.0.0.1:6379", "dask://s:8786", "dask+tls://s:8786"])
def test_each_place_has_a_url(tmp_path, url):
    assert said(tmp_path, f'[executor]\nurl = "{url}"\nworkers = 3') == Executor(url=url, workers=3)


def test_a_stage_says_another(tmp_path):
    (tmp_path / "everloop.toml").write_text('[executor]\nurl = "processes"\nworkers = 2\n[prod.executor]\nurl = "ray"')
    assert read_settings(tmp_path, stage="prod", environ={}).executor == Executor(url="ray", workers=2)


def test_secrets_come_from_the_environment_and_are_not_shown(tmp_path):
    found = said(tmp_path, '[executor]\nurl = "${WHERE}"', WHERE="dask://name:hush@s:8786")
    assert found.url == "dask://name:hush@s:8786"
    assert "hush" not in repr(found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('url = "loky"', 'executor.url: say "processes", "ray", '),
        ('url = "process"', "executor.url: say"),
        ("url = 3", "executor.url: say"),
        ('url = "ray"\nworkers = 0', "executor.workers must be a whole number above 0"),
        ("workers = 3", "executor.workers are nobody's: there is no executor.url"),
        ('urls = "ray"', "there is no setting executor.urls; did you mean url"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path, text, told):
    with pytest.raises(SettingsError) as raised:
        said(tmp_path, f"[executor]\n{text}")
    assert told in str(raised.value)


def test_a_password_is_not_repeated_where_a_url_is_wrong(tmp_path):
    with pytest.raises(SettingsError) as raised:
        said(tmp_path, '[executor]\nurl = "http://name:hush@s"')
    assert "hush" not in str(raised.value)
