"""The app's files, judged by Shopify's own CLI and theme check; and what their rejections prove: that they look."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib

import pytest
from bench.peers import apart

from everloop.connect.shopify.appfiles import app_files, write
from everloop.errors import EverloopError

pytestmark = pytest.mark.slow
STOREFRONT = "extensions/everloop-storefront"
OFFLINE = {"SHOPIFY_CLI_NO_ANALYTICS": "1", "CI": "1", "NO_UPDATE_NOTIFIER": "1"}


@pytest.fixture
def build(modules, files, tmp_path):
    """``shopify app build`` of the files as they are, or with a change; its exit code and what it said."""

    def built(path=None, was="", now=""):
        if path is not None:
            text = (files / path).read_text()
            assert was in text
            (files / path).write_text(text.replace(was, now))
        command = [modules / ".bin" / "shopify", "app", "build", "--path", files, "--skip-dependencies-installation"]
        home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
        done = subprocess.run(command, capture_output=True, text=True, env=apart() | OFFLINE | home, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    return built


def test_shopifys_own_cli_builds_the_app(build):
    code, said = build()
    assert code == 0, said
    assert "Everloop built!" in said


@pytest.mark.parametrize(
    ("path", "was", "now"),
    [
        ("shopify.app.toml", "customers/redact", "customers/forget"),
        ("shopify.app.toml", 'prefix = "apps"', ""),
        ("shopify.app.toml", 'application_url = "https://shop.example.com"', 'application_url = "http://"'),
        ("shopify.app.toml", "client_id", "clientid"),
        ("extensions/retrain-model/shopify.extension.toml", "runtime_url = ", "# "),
        ("extensions/retrain-model/shopify.extension.toml", "https://shop.example.com/shopify", "http://shop.example.com/shopify"),
        ("extensions/retrain-model/shopify.extension.toml", 'return_type_ref = "Retraining"', ""),
        ("extensions/stock-out-expected/shopify.extension.toml", "Days left", "days_left"),
        ("extensions/drift-detected/shopify.extension.toml", 'handle = "drift-detected"', 'handle = "drift detected!"'),
    ],
)
def test_an_app_that_is_a_little_wrong_is_refused(build, path, was, now):
    code, said = build(path, was, now)
    assert code != 0, said


@pytest.fixture
def check(node, modules, files):
    """The offences of the storefront's files."""

    def checked():
        (files / STOREFRONT / ".theme-check.yml").write_text("extends: theme-check:theme-app-extension\n")
        return node("check.mjs", None, files / STOREFRONT)

    return checked


def test_theme_check_finds_nothing_to_object_to(check):
    assert check() == []


@pytest.mark.parametrize(
    ("planted", "offence"),
    [
        ("{{ product.title | nonsense }}", "UndefinedObject|UnknownFilter"),
        ("{% assign unused_thing = 1 %}", "UnusedAssign"),
        ('<script src="https://cdn.example.com/x.js"></script>', "RemoteAsset|ParserBlockingScript"),
        ("{% if product %}", "LiquidHTMLSyntaxError"),
        ("<img src='x.png'>", "ImgWidthAndHeight"),
        ("{{ nobody.knows }}", "UndefinedObject"),
    ],
)
def test_a_planted_offence_is_found(check, files, planted, offence):
    block = files / STOREFRONT / "blocks/recommendations.liquid"
    block.write_text(planted + "\n" + block.read_text())
    assert any(re.fullmatch(offence, one["check"]) for one in check()), check()


def test_the_script_of_the_storefront_is_small_alone_and_of_this_shop(files):
    script = (files / STOREFRONT / "assets/everloop.js").read_bytes()
    assert len(script) < 10_000
    assert not re.search(rb"https?://|import |require\(|innerHTML|eval\(|document\.write", script)


def test_the_settings_of_the_block_are_those_shopify_has(files, modules):
    said = (files / STOREFRONT / "blocks/recommendations.liquid").read_text()
    schema = json.loads(re.search(r"{% schema %}(.*){% endschema %}", said, re.DOTALL)[1])
    assert set(schema) <= {"name", "target", "javascript", "stylesheet", "settings", "enabled_on", "available_if"}
    assert len(schema["name"]) <= 25
    used = set(re.findall(r"block\.settings\.(\w+)", said))
    assert used == {one["id"] for one in schema["settings"]}
    words = set(re.findall(r"t:([\w.]+)", json.dumps(schema)))
    for file in (files / STOREFRONT / "locales").iterdir():
        there = json.loads(file.read_text())
        assert words == {f"{section}.{key}" for section, keys in there.items() for key in keys}, file.name
    for one in schema["settings"]:
        if one["type"] == "range":  # (max - min) / step of at most 100, the default on a step
            assert (one["max"] - one["min"]) / one["step"] <= 100
            assert (one["default"] - one["min"]) % one["step"] == 0


def test_the_app_asks_for_the_compliance_topics_and_each_uri_is_a_path_of_the_door():
    app = tomllib.loads(app_files()["shopify.app.toml"])
    subscriptions = app["webhooks"]["subscriptions"]
    assert {topic for one in subscriptions for topic in one.get("compliance_topics", ())} == {
        "customers/data_request",
        "customers/redact",
        "shop/redact",
    }
    assert {one["uri"] for one in [*subscriptions, *app["events"]["subscription"]]} == {"/shopify/webhooks"}
    assert app["app_proxy"]["url"] == "/shopify/proxy"
    assert app["access_scopes"]["scopes"].split(",") == sorted(app["access_scopes"]["scopes"].split(","))


# -- writing -------------------------------------------------------------------------------------------------------------------------


def test_what_was_written_is_written_again_and_what_is_somebody_elses_is_left_alone(tmp_path):
    first = {path: path.read_bytes() for path in write(tmp_path / "app", "5d1f", "https://a.example")}
    assert {path: path.read_bytes() for path in write(tmp_path / "app", "5d1f", "https://a.example/")} == first
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "shopify.app.toml").write_text("name = 'theirs'\n")
    with pytest.raises(EverloopError, match="holds something else"):
        write(tmp_path / "theirs", "5d1f", "https://a.example")
    assert os.listdir(tmp_path / "theirs") == ["shopify.app.toml"]
    shutil.rmtree(tmp_path / "app")


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("5d1f", "http://a.example"),
        ("5d1f", "a.example"),
        ("5d1f", 'https://a"b'),
        ('5"', "https://a.example"),
        ("5d1f", "https://a.example?x"),
    ],
)
def test_what_cannot_stand_in_the_files_is_refused(client, address):
    with pytest.raises(EverloopError):
        app_files(client, address)


def test_everything_that_is_a_houses_own_is_put_in():
    said = "".join(app_files("5d1f", "https://a.example", "picks").values())
    assert "everloop.example" not in said
    assert "0" * 32 not in said
    assert 'models["picks"]' in said
