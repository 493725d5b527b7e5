"""The files by which a house runs elsewhere: made of what a project says, without secrets, and refused by name where they would not run."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from importlib.metadata import version

import pytest
import yaml
from typer.testing import CliRunner

from everloop.cli import app
from everloop.connect.cloud import lambda_files, ray_files, terraform
from everloop.connect.cloud.needs import lying
from everloop.errors import EverloopError, SettingsError
from everloop.loop.needs import needs_of

PROJECT = """
from sklearn.linear_model import LinearRegression
import beside
from everloop import Model, Source, days

sales = Source("sales", id="sale_id", time="sold_at", columns={"product_id": str, "quantity": int})
demand = Model("demand", predicts=sales.total("quantity", next=days(7)), per="product_id", asked=days(1),
    knows=[sales.count(last=days(7))], learner=LinearRegression())
"""
PROD = """
[prod]
registry = "postgresql://everloop:${PG_PASSWORD}@db/house"
events = "postgresql://everloop:${PG_PASSWORD}@db/house"
lake = "s3://shop/lake"
blobs = "s3://shop/blobs"

[prod.people]
everybody = "slack://${SLACK_TOKEN}"
"""


@pytest.fixture
def project(tmp_path):
    """The folder of a project with a stage for many machines, and a file beside the project file."""
    folder = tmp_path / "Zoë's shop"
    folder.mkdir()
    (folder / "project.py").write_text(
        PROJECT.replace("asked=days(1)", 'asked=every(days(1), at="00:00", zone="UTC")').replace("days\n", "days, every\n")
    )
    (folder / "beside.py").write_text("import msgspec\n")
    (folder / "everloop.toml").write_text(PROD)
    return folder


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def said_in(project, text):
    settings = project / "everloop.toml"
    settings.write_text(settings.read_text() + text)


# -- what a project needs --


def test_what_a_project_needs_is_told_without_its_secrets_at_hand(project, monkeypatch):
    monkeypatch.delenv("PG_PASSWORD", raising=False)
    needs = needs_of(project / "project.py", stage="prod")
    assert needs.models == ("demand",)
    assert needs.secrets == ("PG_PASSWORD", "SLACK_TOKEN")
    assert needs.extras == ("postgres",)
    assert needs.files == ("project.py", "beside.py")
    assert needs.called == "zo-s-shop-prod"
    assert needs_of(project / "project.py").secrets == ()


def test_where_a_store_is_may_be_a_secret_as_a_whole(project, tmp_path):
    said = project / "everloop.toml"
    said.write_text(said.read_text().replace("postgresql://everloop:${PG_PASSWORD}@db/house", "${DATABASE_URL}"))
    needs = needs_of(project / "project.py", stage="prod")
    assert (needs.secrets, needs.extras) == (("DATABASE_URL", "SLACK_TOKEN"), ("postgres",))
    lambda_files.write(project / "out", needs)


def test_of_this_machines_environment_the_stage_alone_counts(project, monkeypatch):
    for name, value in {"EVERLOOP_STAGE": "prod", "EVERLOOP_REGISTRY": "sqlite:////here.db", "PG_PASSWORD": "hush-hush"}.items():
        monkeypatch.setenv(name, value)
    needs = needs_of(project / "project.py")
    assert (needs.stage, needs.settings.registry) == ("prod", "postgresql://everloop:secret://PG_PASSWORD@db/house")


def test_a_library_that_the_learner_is_fed_by_is_needed_though_no_file_imports_it(project):
    file = project / "project.py"
    file.write_text(file.read_text().replace("learner=", 'fed_as="pandas", learner='))
    assert needs_of(file).extras == ("pandas",)


def test_a_stage_there_is_not_is_named(project):
    with pytest.raises(EverloopError, match="'prd'"):
        needs_of(project / "project.py", stage="prd")


def test_what_else_a_project_imports_is_pinned_as_it_is_here(project):
    (project / "beside.py").write_text("import hypothesis, yaml\n")
    pins = needs_of(project / "project.py").packages
    assert [pin.partition("==")[0].lower() for pin in pins] == ["hypothesis", "pyyaml"]


def test_an_import_of_no_package_is_refused_by_name(project):
    (project / "beside.py").write_text("try:\n    import shop_of_nobody\nexcept ImportError:\n    pass\n")
    with pytest.raises(EverloopError, match="imports shop_of_nobody"):
        needs_of(project / "project.py")


# -- Ray Serve --


def config_of(folder):
    return yaml.safe_load((folder / "serve_config.yaml").read_text())["applications"][0]["deployments"][0]


def test_replicas_of_a_house_on_sqlite_stay_on_one_machine(project, tmp_path):
    here, there = project / "here", project / "there"
    ray_files.write(here, needs_of(project / "project.py"), replicas=3)
    ray_files.write(there, needs_of(project / "project.py", stage="prod"), replicas=3)
    assert config_of(here)["num_replicas"] == config_of(there)["num_replicas"] == 3
    assert config_of(here)["ray_actor_options"]["resources"] == {"node:__internal_head__": 0.001}
    assert "resources" not in config_of(there)["ray_actor_options"]
    assert 'stage="prod"' in (there / "serve_app.py").read_text()
    assert "everloop undo demand --stage prod" in (there / "RUNBOOK.md").read_text()


def test_the_environment_of_a_replica_is_that_of_a_worker():
    from everloop.loop.serve.child import environment

    own = yaml.safe_load(lying("ray")["serve_config.yaml"])["applications"][0]["deployments"][0]["ray_actor_options"]["runtime_env"][
        "env_vars"
    ]
    due = {name: value for name, value in environment(worker=True).items() if name not in os.environ or name in own}
    assert own.items() <= due.items() | {(name, os.environ.get(name, "")) for name in own}
    assert set(own) == set(due) - {"PYTHONUNBUFFERED"}


# -- Lambda --


def test_a_house_on_one_machine_is_refused_with_everything_that_keeps_it_there(project, tmp_path):
    with pytest.raises(EverloopError, match="cannot lie on one: registry, events, lake, blobs"):
        lambda_files.write(project / "out", needs_of(project / "project.py"))
    said_in(project, '\n[prod.serving]\nwhen_full = "drop"\n')
    with pytest.raises(EverloopError, match='when_full = "shed"'):
        lambda_files.write(project / "out", needs_of(project / "project.py", stage="prod"))
    assert not (project / "out").exists()


WHICH = (
    "prod.streams.bus.url in everloop.toml holds a password or a token; dev.people.ada in everloop.toml may be one: .* the address itself"
)


def test_a_password_that_would_be_in_the_image_is_refused(project, tmp_path):
    said_in(project, '\n[prod.streams.bus]\nurl = "nats://house:hunter2@bus:4222"\nsubject = "orders"\nsource = "orders"\n')
    said_in(project, '[dev.people]\nada = "slack://T1/B1/hunter2"\n')
    for write in WRITERS.values():
        with pytest.raises(EverloopError, match=WHICH) as refused:
            write(project / "out", needs_of(project / "project.py", stage="prod"))
        assert "hunter2" not in str(refused.value)
    assert not (project / "out").exists()


def test_a_shops_door_is_a_function_too_where_there_is_a_shop_and_the_house_is_reached_from_there(project, tmp_path):
    said_in(project, '\n[prod.shopify]\nshop = "beans.myshopify.com"\nclient_id = "5d1f"\nsecret = "${SHOPIFY_SECRET}"\n')
    with pytest.raises(EverloopError, match=r"\[prod.shopify\] house = "):
        lambda_files.write(project / "out", needs_of(project / "project.py", stage="prod"))
    said_in(project, 'house = "https://house.shop"\nkey = "${HOUSE_KEY}"\n')
    lambda_files.write(project / "out", needs_of(project / "project.py", stage="prod"))
    found = files_of(project / "out")
    assert 'stage="prod"' in found["shop.py"]
    assert "HOUSE_KEY" in found["shop.yaml"]
    assert "## The shop's door" in found["RUNBOOK.md"]


def test_a_function_is_made_of_what_the_project_is_made_of(project, tmp_path):
    lambda_files.write(project / "out", needs_of(project / "project.py", stage="prod"))
    found = files_of(project / "out")
    assert not {"shop.py", "shop.yaml"} & set(found)
    assert 'stage="prod"' in found["handler.py"]
    assert 'SECRETS: "PG_PASSWORD SLACK_TOKEN"' in found["template.yaml"]
    assert [line for line in found["Dockerfile"].splitlines() if line.startswith("COPY") and "srv/project" in line] == [
        'COPY ["project.py", "/srv/project/project.py"]',
        'COPY ["beside.py", "/srv/project/beside.py"]',
        'COPY ["everloop.toml", "/srv/project/everloop.toml"]',
    ]
    assert "everloop[lambda,postgres]==" in found["requirements.in"]


DIGEST = "python:3.12-slim@sha256:" + "5d" * 32


@pytest.mark.parametrize("kind", ["lambda", "ecs"])
def test_an_image_is_built_on_what_is_pinned_of_what_is_pinned_and_of_nothing_else_that_lies_there(project, kind):
    (project / "release.key").write_text("nobody's business")
    said_in(project, "\n[prod.serving]\nworkers = 1\n")
    (project / "beside.py").write_text("import lightgbm\n")
    needs = replace(needs_of(project / "project.py"), settings=needs_of(project / "project.py", stage="prod").settings)
    for base, first in ((DIGEST, f"ARG PYTHON={DIGEST}"), ("", "ARG PYTHON")):
        MAKES[kind](project / "infra" / "own", needs, base)
        found = files_of(project / "infra" / "own")
        lines = found["Dockerfile"].splitlines()
        assert first in lines
        assert "FOLDER" not in found["Dockerfile"] + found["RUNBOOK.md"]
        assert "docker build -f infra/own/Dockerfile" in found["RUNBOOK.md"]
        assert ("--build-arg PYTHON=" in found["RUNBOOK.md"]) == (not base), "nobody builds on a tag by chance"
        assert 'COPY ["infra/own/requirements.txt", "/tmp/requirements.txt"]' in lines
        assert "--require-hashes" in found["Dockerfile"]
        assert "libgomp1" in found["Dockerfile"], "what lightgbm needs of Debian"
        pins = [line for line in found["requirements.in"].splitlines() if line and not line.startswith("#")]
        assert all("==" in pin for pin in pins), pins
        sent = found["Dockerfile.dockerignore"].splitlines()[1:]
        assert sent[0] == "*"
        assert {"!project.py", "!everloop.toml", "!infra/own/requirements.txt"} <= set(sent)
        assert not any("release.key" in line or ".everloop" in line for line in sent)
    with pytest.raises(EverloopError, match="is not pinned"):
        MAKES[kind](project / "infra" / "own", needs, "python:3.12-slim")


MAKES = {
    "lambda": lambda to, needs, base: lambda_files.write(to, needs, base=base),
    "ecs": lambda to, needs, base: terraform.write(to, needs, machine=False, base=base),
}


def test_an_extra_is_said_where_there_is_one(project):
    terraform.write(project / "out", needs_of(project / "project.py"), machine=True)
    assert f"\neverloop=={version('everloop')}\n" in (project / "out" / "requirements.in").read_text()


def test_everything_that_keeps_a_house_from_there_is_told_at_once(project, tmp_path):
    said_in(project, '\n[people]\nada = "slack://T1/B1/hunter2"\n[serving]\nwhen_full = "drop"\n')
    with pytest.raises(EverloopError) as refused:
        lambda_files.write(tmp_path / "elsewhere", needs_of(project / "project.py"), base="python")
    for due in ("5 things", "cannot lie on one", "people.ada", 'when_full = "shed"', "not a folder inside", "is not pinned"):
        assert due in str(refused.value)


def test_tasks_behind_a_balancer_show_no_console_and_a_machine_says_how_its_own_is_reached():
    assert "run --no-console" in lying("ecs")["services.tf"]
    assert "--no-console" in lying("ecs")["RUNBOOK.md"]
    assert "AWS-StartPortForwardingSession" in lying("machine")["RUNBOOK.md"]


# -- Terraform --


def test_what_ecs_cannot_hold_is_refused_with_what_to_say_instead(project, tmp_path):
    said_in(
        project,
        '\n[prod.online]\nurl = "redis://redis.shop:6379/0"\n[prod.sources]\nsales = "data/sales.csv"\n[prod.serving]\ndrain = 100\n'
        '[prod.signing]\nkey = "keys/release.pub"\n'
        '[prod.shopify]\nshop = "beans.myshopify.com"\nclient_id = "5d1f"\nsecret = "${SHOPIFY_SECRET}"\n',
    )
    with pytest.raises(EverloopError) as refused:
        terraform.write(project / "out", needs_of(project / "project.py", stage="prod"), machine=False)
    said = str(refused.value)
    for due in ('[prod.online] url = "${REDIS_URL}"', "Say 90 at most", "[signing]", "for sales", "--machine"):
        assert due in said
    assert len(said.splitlines()) == 6
    assert not (project / "out").exists()


def test_redis_is_made_where_the_house_asks_for_it_and_is_no_secret_of_people(project, tmp_path):
    terraform.write(project / "without", needs_of(project / "project.py", stage="prod"), machine=False)
    said_in(project, '\n[prod.online]\nurl = "${REDIS_URL}"\n')
    terraform.write(project / "with", needs_of(project / "project.py", stage="prod"), machine=False)
    without, with_ = ((project / name / "project.tf").read_text() for name in ("without", "with"))
    assert ("redis   = false" in without, "redis   = true" in with_) == (True, True)
    assert 'secrets = ["PG_PASSWORD", "SLACK_TOKEN"]' in with_


def test_one_machine_opens_a_shops_door_where_there_is_a_shop(project, tmp_path):
    said_in(project, '\n[prod.shopify]\nshop = "beans.myshopify.com"\nclient_id = "5d1f"\nsecret = "${SHOPIFY_SECRET}"\n')
    terraform.write(project / "with", needs_of(project / "project.py", stage="prod"), machine=True)
    terraform.write(project / "without", needs_of(project / "project.py"), machine=True)
    assert "door    = 8322" in (project / "with" / "project.tf").read_text()
    assert "door    = 0" in (project / "without" / "project.tf").read_text()


def test_a_machine_gets_the_files_of_the_project_and_nothing_that_lies_beside_them(project, tmp_path):
    for name in (".env", "sales.csv", "release.key", "release.pub", "terraform.tfstate"):
        (project / name).write_text("nobody's business")
    said_in(project, '\n[prod.signing]\nkey = "release.pub"\n[prod.sources]\nsales = "sales.csv"\n')
    terraform.write(project / "out", needs_of(project / "project.py", stage="prod"), machine=True)
    found = files_of(project / "out")
    assert 'files   = ["project.py", "beside.py", "everloop.toml", "release.pub", "requirements.txt"]' in found["project.tf"]
    assert "source_dir" not in found["main.tf"], "a folder as a whole"
    assert "Rows of `sales` stay" in found["RUNBOOK.md"]
    said = project / "everloop.toml"
    said.write_text(said.read_text().replace('key = "release.pub"', 'private_key = "release.key"'))
    with pytest.raises(EverloopError, match="no private key is sent anywhere"):
        terraform.write(project / "other", needs_of(project / "project.py", stage="prod"), machine=True)
    assert not (project / "other").exists()


# -- all of them --

WRITERS = {
    "rayserve": lambda to, needs: ray_files.write(to, needs, replicas=2),
    "lambda": lambda_files.write,
    "ecs": lambda to, needs: terraform.write(to, needs, machine=False),
    "machine": lambda to, needs: terraform.write(to, needs, machine=True),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_no_file_holds_a_secret_or_a_word_that_was_to_be_put_in(project, tmp_path, monkeypatch, kind):
    monkeypatch.setenv("PG_PASSWORD", "hush-hush")
    monkeypatch.setenv("SLACK_TOKEN", "hush-hush")
    WRITERS[kind](project / "out", needs_of(project / "project.py", stage="prod"))
    for path, text in files_of(project / "out").items():
        assert "hush-hush" not in text, path
        assert "secret://" not in text, path
        assert not set(text.split()) & {"MODEL", "STAGE", "NAMES", "FLAGS", "PORT", "CALLED", "SHOP", "ROWS", "FILES", "FOLDER", "BUILD"}, (
            path
        )


@pytest.mark.parametrize("kind", ["lambda", "ecs", "machine"])
def test_what_an_image_is_built_from_is_written_inside_of_the_project(project, tmp_path, kind):
    with pytest.raises(EverloopError, match="not a folder inside"):
        WRITERS[kind](tmp_path / "elsewhere", needs_of(project / "project.py", stage="prod"))
    assert not (tmp_path / "elsewhere").exists()


def test_the_files_of_ray_may_lie_beside_the_project_where_its_app_looks_for_it(project):
    WRITERS["rayserve"](project, needs_of(project / "project.py", stage="prod"))
    assert 'with_name("project.py")' in (project / "serve_app.py").read_text()


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_of_somebody_else_is_left_alone_and_ours_is_written_anew(project, tmp_path, kind):
    needs = needs_of(project / "project.py", stage="prod")
    WRITERS[kind](project / "out", needs)
    before = files_of(project / "out")
    WRITERS[kind](project / "out", needs)
    assert files_of(project / "out") == before
    (project / "out" / "RUNBOOK.md").write_text("mine")
    with pytest.raises(EverloopError, match="was not written by everloop"):
        WRITERS[kind](project / "out", needs)


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (["rayserve"], "serve_app.py"),
        (["lambda"], "handler.py"),
        (["terraform"], "services.tf"),
        (["terraform", "--machine"], "cloud-init.yaml"),
    ],
)
def test_each_is_a_word_in_the_terminal(project, tmp_path, words, file):
    done = CliRunner().invoke(app, ["export", *words, "--to", str(project / "out"), "--project", str(project), "--stage", "prod"])
    assert done.exit_code == 0, done.output
    assert file in done.output
    assert (project / "out" / file).exists()


def test_what_is_wrong_with_the_settings_is_told_before_anything_is_written(project, tmp_path):
    said_in(project, "\n[prod.serving]\nwokers = 2\n")
    with pytest.raises(SettingsError, match="wokers"):
        needs_of(project / "project.py", stage="prod")


# -- a folder for each task --


@pytest.fixture
def shell(tmp_path):
    """Run a script of the ECS module with an ``everloop`` that says its words and stays for a while."""
    (tmp_path / "bin").mkdir()
    stub = tmp_path / "bin" / "everloop"
    stub.write_text(
        "#!/bin/sh\n"
        'echo "$@" >> "$HOUSES/said"\nfor word; do last="$word"; done\nrm -f "$last"/answers/*.answers\nexec sleep "${STAYS:-30}"\n'
    )
    stub.chmod(0o755)
    houses = tmp_path / "houses"
    houses.mkdir()

    def run(script, *words, **said):
        around = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "HOUSES": str(houses)} | said
        return subprocess.Popen(["/bin/sh", "-c", lying("ecs")[script], "house", *words], env=around, stderr=subprocess.PIPE, text=True)

    return run, houses


def ended(process):
    """What came of a script: its exit code, and what it complained of."""
    _, told = process.communicate(timeout=30)
    return process.returncode, told


def waited(done):
    for _ in range(200):
        if done():
            return True
        subprocess.run(["sleep", "0.05"], check=True)
    return False


@pytest.mark.skipif(shutil.which("flock") is None, reason="no flock on this machine")
def test_each_task_has_a_folder_of_its_own_and_the_next_one_takes_that_of_a_dead_one(shell):
    run, houses = shell
    said = houses / "said"
    first, second = run("slot.sh", "run"), None
    try:
        assert waited(lambda: said.exists() and len(said.read_text().splitlines()) == 1)
        second = run("slot.sh", "run")
        assert waited(lambda: len(said.read_text().splitlines()) == 2)
        first.kill()
        ended(first)
        first = None
        assert ended(run("slot.sh", "run", STAYS="0")) == (0, "")
        code, told = ended(run("slot.sh", "run", SLOTS="0"))
        assert (code, "are taken" in told) == (1, True)
    finally:
        for one in (first, second):
            if one is not None:
                one.kill()
                ended(one)
    assert said.read_text().splitlines() == [f"run --house {houses}/{slot}" for slot in (1, 2, 1)]


@pytest.mark.skipif(shutil.which("flock") is None, reason="no flock on this machine")
def test_answers_in_a_folder_that_nobody_has_are_sealed_and_those_of_the_living_left_to_them(shell):
    run, houses = shell
    for slot in (1, 2, 3):
        (houses / str(slot) / "answers").mkdir(parents=True)
    for slot in (1, 2):
        (houses / str(slot) / "answers" / "a.answers").write_text("")
    held = subprocess.Popen(["flock", "--no-fork", str(houses / "1" / ".taken"), "sleep", "30"])
    try:
        assert waited(lambda: subprocess.run(["flock", "-n", str(houses / "1" / ".taken"), "true"], check=False).returncode == 1)
        assert ended(run("sweep.sh", "worker"))[0] == 0
    finally:
        held.kill()
        held.wait()
    assert (houses / "said").read_text().splitlines() == [f"worker --house {houses}/2"]
    assert (houses / "1" / "answers" / "a.answers").exists()
