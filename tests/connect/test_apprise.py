"""Messages to real receivers on this machine, by apprise's own plugins."""

import json
import logging
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from everloop_receivers import web_server

import everloop
from everloop.connect.apprise import Line, mistake
from everloop.connect.message import Message
from everloop.errors import SettingsError

PACKAGE = Path(everloop.__file__).parent
NEWS = Message(
    key="k1",
    severity="critical",
    title="demand: critical",
    body="demand went back to 3 — “too dear”.\nNext: everloop why d1\nJournal: 41:9f3c",
    facts={"model": "demand", "alerts": ["d1"], "head": "41:9f3c"},
)


@pytest.fixture
def tls(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("a certificate for Teams is made with openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run([*made, "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with web_server(context) as mind:
        yield mind


def test_apprise_is_loaded_where_something_is_sent_and_nowhere_before():
    asks = "import sys, everloop.loop.news.deliver, everloop.loop.serve.keys, everloop.cli; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asks], check=False).returncode == 0
    files = [f for f in PACKAGE.rglob("*.py") if re.search(r"^\s*(from|import) apprise\b", f.read_text(encoding="utf-8"), re.MULTILINE)]
    assert [f.relative_to(PACKAGE).as_posix() for f in files] == ["connect/apprise.py"]


def test_a_webhook_is_told_in_json_with_the_key_to_know_it_by(web):
    assert Line(web.url()).send(NEWS) is None
    (told,) = web.of()
    assert told.headers["idempotency-key"] == "k1"
    said = told.json
    assert (said["title"], said["message"], said["type"]) == (NEWS.title, NEWS.body, "failure")
    assert (said["key"], said["severity"], said["model"], said["alerts"], said["head"]) == ("k1", "critical", "demand", ["d1"], "41:9f3c")


@pytest.mark.parametrize(("query", "team"), [("", None), ("?:team=planning", "planning")])
def test_each_message_on_a_line_has_its_own_key(web, query, team):
    line = Line(web.url(query=query))
    assert line.send(NEWS) is None
    assert line.send(Message(key="k2", severity="info", title="t", body="b")) is None
    assert web.keys() == ["k1", "k2"]
    assert [t.json["key"] for t in web.of()] == ["k1", "k2"]
    assert "alerts" not in web.of()[1].json, "facts of the message before are gone"
    assert [t.json.get("team") for t in web.of()] == [team, team], "what the URL says itself stays"


def test_slack_is_told(web, monkeypatch):
    from apprise.plugins.slack import NotifySlack

    monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{web.port}/services")
    assert Line("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7/#ops").send(NEWS) is None
    (told,) = web.of("services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7")
    said = json.dumps(told.json, ensure_ascii=False)
    assert told.json["channel"] == "#ops"
    for words in ("demand: critical", "demand went back to 3", "everloop why d1", "41:9f3c"):
        assert words in said
    assert "github" not in said, "no picture from a stranger's server"


def test_mattermost_speaks_slack_and_is_told(web):
    assert Line(f"mmost://127.0.0.1:{web.port}/3ccdd113474722377935511fc85d3dd4").send(NEWS) is None
    (told,) = web.of("hooks/3ccdd113474722377935511fc85d3dd4")
    assert NEWS.body in told.json["text"]


@pytest.mark.filterwarnings("ignore:Unverified HTTPS")
def test_teams_is_told(tls):
    assert Line(f"workflows://127.0.0.1:{tls.port}/643e69f83c8944/4KXebtDs2l?verify=no").send(NEWS) is None
    (told,) = tls.told
    assert told.path.startswith("/workflows/643e69f83c8944/triggers/manual/paths/invoke?")
    assert "demand went back to 3" in json.dumps(told.json, ensure_ascii=False)


def test_a_certificate_nobody_vouches_for_is_not_trusted(tls):
    why = Line(f"jsons://127.0.0.1:{tls.port}/xyzzy").send(NEWS)
    assert why is not None
    assert tls.told == []


def test_mail_is_told(post):
    line = Line(f"mailto://127.0.0.1:{post.port}/ada@shop.example?from=everloop@shop.example")
    assert line.send(NEWS) is None
    (mail,) = post.mails
    assert (mail["Subject"], mail["Idempotency-Key"]) == (NEWS.title, "k1")
    assert "ada@shop.example" in mail["To"]
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == NEWS.body.splitlines()


@pytest.mark.parametrize(("does", "why"), [("refuse", "failed"), ("busy", "failed")])
def test_mail_that_is_not_taken_is_not_told(post, does, why):
    post.does = does
    assert why in Line(f"mailto://127.0.0.1:{post.port}/ada@shop.example?from=x@shop.example").send(NEWS)


@pytest.mark.parametrize(
    ("does", "why"), [(500, "500"), (404, "404"), (429, "429"), ("close", "onnection"), ("hang", "onnection"), ("elsewhere", "302")]
)
def test_a_webhook_that_did_not_take_it_says_why(web, does, why):
    web.does["news"] = does
    assert why in Line(web.url(query="?rto=0.2")).send(NEWS)
    assert web.of("landed") == [], "a redirect would be followed without the message"


def test_nobody_at_all_says_why():
    assert "onnection" in Line("json://127.0.0.1:1/news").send(NEWS)


def test_nothing_of_an_address_is_in_any_log_or_reason(web, caplog):
    web.does["xyzzy/plugh"] = 500
    with caplog.at_level(logging.DEBUG):
        for name in ("apprise", "urllib3.connectionpool"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        try:
            why = Line(web.url("xyzzy/plugh", query="?+token=hushhush")).send(NEWS)
            assert mistake("slack://hushhush") is not None
        finally:
            for name in ("apprise", "urllib3.connectionpool"):
                logging.getLogger(name).setLevel(logging.NOTSET)
    said = caplog.text + why
    assert not any(secret in said for secret in ("xyzzy", "plugh", "hushhush"))
    logging.getLogger("apprise").warning("not ours")
    assert "not ours" in caplog.text, "who else uses apprise is not silenced"


@pytest.mark.parametrize(
    ("url", "cure"),
    [
        ("slak://T1JJ3T3L2/hushhush", "Did you mean slack://"),
        ("slack://hushhush", "say slack://{token_a}/{token_b}/{token_c}"),
        ("https://127.0.0.1/hushhush", "json://host/path"),
        ("msteams://hushhush", "workflows://"),
        ("json://", "json://{host}"),
        ("hushhush", "it has no kind"),
        ("zzzzqqqq://hushhush", "nothing is called zzzzqqqq"),
        ("", "it has no kind"),
    ],
)
def test_what_is_no_address_is_told_with_the_cure(url, cure):
    with pytest.raises(SettingsError) as told:
        Line(url)
    assert cure in str(told.value)
    assert "hushhush" not in str(told.value)
    assert mistake(url) == str(told.value)


@pytest.mark.parametrize(
    "url", ["json://127.0.0.1/x", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7", "mailtos://ada:hush@gmail.com"]
)
def test_what_is_an_address_is_one(url):
    assert mistake(url) is None
