"""What could not run where it is deployed is refused by name, before a file is written; and no secret is read on the way."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest
import yaml

from everloop.cli import main
from everloop.connect.kubernetes.facts import Room
from everloop.connect.locked import locked
from everloop.connect.needed import asked_settings, from_files
from everloop.errors import EverloopError, SettingsError
from everloop.loop.deployed import Wanted, deployed
from everloop.loop.platforms import write
from everloop.loop.project_file import open_project
from everloop.loop.room import learning_room, said_room, serving_room
from everloop.loop.start import start_project
from tests.connect.deployments import BASE, ROOM

END = datetime(2026, 11, 1, tzinfo=UTC)
HASH = "--hash=sha256:" + "0" * 64
PROD = """
[prod]
registry = "postgresql://everloop:${PG_PASSWORD}@db.shop:5433/house"
events = "postgresql://everloop:${PG_PASSWORD}@db.shop:5433/house"
lake = "s3://shop/house/lake"
blobs = "s3://shop/house/blobs"

[prod.online]
url = "rediss://:${REDIS_PASSWORD}@redis.shop/0"

[prod.serving]
drain = 10
workers = 2
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deployed") / "Bean Shop"
    start_project("shop", folder, end=END)
    return folder


@pytest.fixture
def project(made, tmp_path):
    """A shop with a stage that machines share, and a lock of what is installed."""
    import shutil

    folder = tmp_path / "Bean Shop"
    shutil.copytree(made, folder)
    (folder / "everloop.toml").write_text((made / "everloop.toml").read_text() + PROD)
    lock(folder)
    return folder


def lock(folder, *without, **other):
    packages = {"everloop": "0.1.0", "scikit-learn": "1.9.0", "psycopg": "3.2.1", "redis": "6.4.0", "pandas": "2.3.0"} | other
    (folder / "requirements.txt").write_text("".join(f"{n}=={v} \\\n    {HASH}\n" for n, v in packages.items() if n not in without))


def wanted(folder, **words):
    said = {
        "image": "registry.example.com/shop/demand",
        "base": BASE,
        "lock": folder / "requirements.txt",
        "serving": ROOM,
        "learning": ROOM,
    }
    return Wanted(**(said | words))


def facts(folder, stage="prod", **words):
    settings, secrets = asked_settings(folder, stage)
    return deployed(open_project(folder), settings, secrets, wanted(folder, **words))


def test_the_facts_are_what_the_project_and_its_settings_say_and_no_secret_is_read(project, monkeypatch):
    monkeypatch.setenv("PG_PASSWORD", "hunter2")
    said = facts(project)
    assert (said.name, said.stage, said.models) == ("bean-shop", "prod", ("demand",))
    assert said.secrets == ("PG_PASSWORD", "REDIS_PASSWORD")
    assert said.reaches == (443, 5433, 6379)
    assert (said.drain, said.workers, said.least, said.most) == (10.0, 2, 2, 6)
    assert said.files == ("project.py", "everloop.toml")
    assert "hunter2" not in repr(said)
    assert from_files(asked_settings(project, "prod")[0]) == ("orders",)


def toml(folder, old, new):
    text = (folder / "everloop.toml").read_text()
    assert old in text
    (folder / "everloop.toml").write_text(text.replace(old, new))


REFUSED = {
    "a database in a file, and several pods": (lambda f: {"stage": None}, "decisions in a SQLite file"),
    "no lock": (lambda f: (f / "requirements.txt").unlink() or {}, "says what is installed, with hashes"),
    "a lock without hashes": (lambda f: (f / "requirements.txt").write_text("everloop==0.1.0\n") and {}, "has no hash"),
    "a lock without versions": (
        lambda f: (f / "requirements.txt").write_text(f"everloop>=0.1 {HASH}\n") and {},
        "has no version of its own",
    ),
    "a learner the image lacks": (lambda f: lock(f, "scikit-learn") or {}, "no scikit-learn, which project.py asks for"),
    "a database's library the image lacks": (lambda f: lock(f, "psycopg") or {}, "no psycopg, which events in everloop.toml asks for"),
    "a cache's library the image lacks": (lambda f: lock(f, "redis") or {}, "no redis, which online.url"),
    "a cache by its socket, whose library the image lacks": (
        lambda f: lock(f, "redis") or toml(f, "rediss://:${REDIS_PASSWORD}@redis.shop/0", "unix:///run/redis.sock") or {},
        "no redis, which online.url",
    ),
    "a database that is a secret as a whole, and its library the image lacks": (
        lambda f: lock(f, "psycopg") or toml(f, "postgresql://everloop:${PG_PASSWORD}@db.shop:5433/house", "${DATABASE_URL}") or {},
        "no psycopg, which events",
    ),
    "several stores that each pod would have one of": (
        lambda f: toml(f, 'lake = "s3://shop/house/lake"\nblobs = "s3://shop/house/blobs"', 'lake = "./lake"\nblobs = "./blobs"') or {},
        r'lie on one: lake, blobs. .*\n  lake = "s3://…"\n  blobs = "s3://…"',
    ),
    "a base that is not pinned": (lambda f: {"base": "python:3.12-slim"}, "is not pinned"),
    "an image with a tag": (lambda f: {"image": "demand:latest"}, "without a tag"),
    "a name no cluster takes": (lambda f: {"name": "Demand!"}, "is no name in a cluster"),
    "a schedule that is none": (lambda f: {"retrain": "0 25 * * *"}, "no schedule of five fields"),
    "replicas the wrong way round": (lambda f: {"replicas": "6:2"}, "says not how many answer"),
    "a password in the file": (lambda f: toml(f, "${REDIS_PASSWORD}", "hunter2") or {}, "online.url in everloop.toml holds a password"),
    "a person's address, which is a token": (
        lambda f: toml(f, "[prod]", '[people]\nada = "slack://T/B/hunter2"\n\n[prod]') or {},
        "people.ada in everloop.toml may be one",
    ),
    "a shop's secret, of another stage": (
        lambda f: toml(f, "[prod]", '[dev.shopify]\nshop = "a.myshopify.com"\nclient_id = "1"\nsecret = "hunter2"\n\n[prod]') or {},
        "dev.shopify.secret in everloop.toml holds",
    ),
    "a password behind a question mark": (
        lambda f: toml(f, "rediss://:${REDIS_PASSWORD}@redis.shop/0", "rediss://redis.shop/0?password=hunter2") or {},
        "prod.online.url in everloop.toml holds",
    ),
    "a lake that each pod would have one of": (
        lambda f: toml(f, 'lake = "s3://shop/house/lake"', 'lake = "./lake"') or {},
        "lie on one: lake",
    ),
    "a lock outside of the project": (
        lambda f: {"lock": (f / "requirements.txt").rename(f.parent / "requirements.txt")},
        "is not in the project's folder",
    ),
    "a private key": (
        lambda f: toml(f, "[prod.serving]", '[prod.signing]\nprivate_key = "release.key"\n\n[prod.serving]') or {},
        "private_key",
    ),
}


@pytest.mark.parametrize(("spoil", "why"), REFUSED.values(), ids=REFUSED)
def test_what_could_not_run_is_refused_by_name_and_nothing_is_written(project, spoil, why):
    words = spoil(project)
    stage = words.pop("stage", "prod")
    for kind in ("kubernetes", "kserve"):
        with pytest.raises(EverloopError, match=why.replace("(", r"\(")) as refused:
            write(kind, project, stage, wanted(project, **words), project / "deploy")
        assert "hunter2" not in str(refused.value)
    assert not (project / "deploy").exists()


def test_all_that_a_fresh_project_lacks_is_told_at_once_and_each_with_what_to_do(made, capsys, monkeypatch, tmp_path):
    import shutil

    folder = shutil.copytree(made, tmp_path / "fresh")
    monkeypatch.chdir(folder)
    for kind, more in {"kubernetes": 7, "kserve": 8, "compose": 6}.items():
        assert run("export", kind, "--to", "../elsewhere") == 2
        told = capsys.readouterr().err
        assert f"Nothing was written; {more} things have to be said" in told
        for due in ("--image is not said", "docker buildx imagetools", "uv pip compile --generate-hashes", "inside of the project's"):
            assert due in told, due
        assert "how much room it takes to answer" in told
        assert "how much room it takes to learn" in told
        lines = [line.strip() for line in told.splitlines()]
        assert {"everloop==0.1.0", f"scikit-learn=={version('scikit-learn')}"} <= set(lines), "what requirements.in is to say"
        assert ("6 pods would each have one" in told) == (kind != "compose")
        assert ("KServe starts and ends" in told) == (kind == "kserve")
    assert not (tmp_path / "elsewhere").exists()


def test_a_namespace_that_every_cluster_has_is_not_made(project):
    for namespace, made in (("default", 0), ("shop", 1)):
        write("kubernetes", project, "prod", wanted(project, namespace=namespace), project / "deploy")
        page = (project / "deploy" / "README.md").read_text()
        assert page.count(f"kubectl create namespace {namespace}\n") == made


def test_a_stage_nobody_wrote_is_refused_with_those_there_are(project):
    with pytest.raises(EverloopError, match="prod"):
        write("kubernetes", project, "prd", wanted(project), project / "deploy")


def test_outside_of_the_project_nothing_is_built_so_nothing_is_written_there(project):
    with pytest.raises(EverloopError, match="not a folder inside"):
        write("kubernetes", project, "prod", wanted(project), project.parent / "elsewhere")


def test_a_house_in_a_file_is_one_pod_and_kserve_which_starts_others_is_refused(project):
    said = facts(project, stage=None, replicas="1")
    assert (said.local, said.least, said.most) == (True, 1, 1)
    with pytest.raises(EverloopError, match="KServe starts and ends replicas"):
        write("kserve", project, None, wanted(project, replicas="1"), project / "deploy")


def test_a_lock_is_read_as_pip_reads_it():
    text = (
        f"# made by uv\n--index-url https://example.com\nNumPy==2.4.1 ; python_version >= '3.11' \\\n  {HASH} \\\n  {HASH}\n    # via x\n"
    )
    text += f"b[c]==1 {HASH}\n"
    assert locked(text, "requirements.txt") == {"numpy": "2.4.1", "b": "1"}
    with pytest.raises(EverloopError, match="names no package"):
        locked("# nothing\n", "requirements.txt")


def test_the_terminal_writes_what_a_stage_needs_without_its_secrets(project, capsys, monkeypatch):
    monkeypatch.chdir(project)
    for name in ("PG_PASSWORD", "REDIS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    words = ["--to", "deploy", "--image", "registry.example.com/demand", "--base", BASE, "--stage", "prod", "--memory", "600Mi"]
    assert run("export", "kubernetes", *words, "--learning-memory", "2Gi", "--json") == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert "deploy/base/serving.yaml" in files
    container = yaml.safe_load((project / "deploy/base/serving.yaml").read_text())["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"memory": "960Mi"}
    assert run("export", "compose", *words, "--learning-memory", "2Gi") == 2, "what another export wrote is not written over"
    assert run("export", "kserve", *[w.replace("deploy", "kserve") for w in words], "--learning-memory", "2Gi") == 0
    assert run("export", "compose", *[w.replace("deploy", "compose") for w in words], "--learning-memory", "2Gi") == 0
    assert "compose.yaml" in capsys.readouterr().out


def test_without_a_measure_nothing_is_guessed(project, capsys, monkeypatch):
    monkeypatch.chdir(project)
    words = ["export", "kubernetes", "--to", "deploy", "--image", "demand", "--base", BASE, "--stage", "prod"]
    assert run(*words) == 2
    assert "Nobody has seen how much room it takes to answer" in capsys.readouterr().err
    assert run(*words, "--memory", "600Mi") == 2
    assert "how much room it takes to learn" in capsys.readouterr().err
    assert run(*words, "--memory", "a lot") == 2
    assert run(*words, "--cpu", "2") == 2, "half a measure is none"
    assert not (project / "deploy").exists()


def run(*words):
    from unittest.mock import patch

    with patch("sys.argv", ["everloop", *words]), pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


# -- room --


def test_a_house_that_is_served_here_is_measured_with_all_its_processes(tmp_path):
    assert serving_room(tmp_path) is None
    (tmp_path / "serving.json").write_text(json.dumps({"pid": os.getpid(), "url": "http://127.0.0.1:1", "workers": []}))
    seen = serving_room(tmp_path)
    assert isinstance(seen, Room)
    assert seen.peak_bytes > 20 << 20
    assert 0 <= seen.cores < 64
    (tmp_path / "serving.json").write_text(json.dumps({"pid": 2**22 + 1, "url": "", "workers": []}))
    assert serving_room(tmp_path) is None, "it is served no more"


def test_what_trainings_took_is_in_the_journal_and_read_from_there(project):
    from everloop.loop.house import open_house
    from everloop.loop.steps import train_now

    assert learning_room(project) is None
    toml(project, "[prod]", "[training]\nchild = false\n\n[prod]")
    house = open_house(project / "project.py", ingest=END)
    record = train_now(house, house.project.model("demand"), END + timedelta(hours=1))
    kept = replace(record.cost, cpu_seconds=1.0)
    assert kept.peak_bytes is not None
    assert kept.peak_bytes > 20 << 20
    house.store.close()
    seen = learning_room(project)
    assert seen is not None
    assert seen.peak_bytes >= record.cost.peak_bytes, "and the process it hangs on"
    assert seen.seen.startswith("seen in 1 trainings")
    toml(project, "[prod]", '[people]\nada = "json://${HOOK}"\n\n[prod]')
    assert learning_room(project) == seen, "whatever else has a secret"


def test_of_a_house_whose_journal_is_a_database_nobody_says_that_it_never_learnt(project):
    from typer.testing import CliRunner

    from everloop.cli import app

    file = project / "everloop.toml"
    file.write_text('registry = "postgresql://house:${PG}@db/house"\n' + file.read_text())
    words = ["export", "kubernetes", "--project", str(project), "--to", str(project / "out"), "--memory", "600Mi"]
    refused = str(CliRunner().invoke(app, words).exception)
    assert "The trainings of this house are written down in a database" in refused
    assert "was measured" not in refused


@pytest.mark.parametrize("said", ["600", "600MB", "-1Mi", "Mi"])
def test_what_is_no_size_is_refused(said):
    with pytest.raises(EverloopError, match="is no room"):
        said_room(0.5, said, "--memory")


def test_settings_that_are_wrong_are_told_as_ever(project):
    toml(project, "drain = 10", "drian = 10")
    with pytest.raises(SettingsError, match="did you mean drain"):
        asked_settings(project, "prod")
