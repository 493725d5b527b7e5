"""A pipeline from a project and everloop.toml; a candidate let in as the last of its steps; and once round on made-up rows."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import timedelta

import pytest
import yaml
from typer.testing import CliRunner

from everloop import every
from everloop.cli import VERBS, app
from everloop.connect.needed import asked_settings
from everloop.errors import SettingsError, Unknown
from everloop.loop import hand
from everloop.loop.judged import let_in_judged
from everloop.loop.moved import move
from everloop.loop.pipelines import pipeline_of
from everloop.loop.project_file import open_project
from everloop.loop.reproduce import reproduce
from everloop.loop.smoke import smoke
from everloop.loop.steps import judge_now, train_now
from everloop.settings import read_settings
from everloop.testing.projects.happenings import HAPPENINGS
from tests.ring.conftest import END

VERB_NAMES = tuple(verb.__name__ for verb in VERBS)
SAID = """
registry = "postgresql://${DATABASE}/house"
events = "postgresql://${DATABASE}/house"
lake = "s3://shop/lake"
blobs = "s3://shop/blobs"

[pipeline]
every = "1d"
at = "04:30"
zone = "Europe/Berlin"
retries = 1
arrives = { orders = "s3://shop/orders/{day}/_SUCCESS" }
image = "registry.example.com/shop@sha256:00"
pods = ["train"]
"""


@pytest.fixture
def project(prepared, tmp_path):
    shutil.copytree(prepared("shop"), tmp_path / "shop")
    return tmp_path / "shop"


def made(project, words="", environ=None, models=()):
    file = project / "everloop.toml"
    file.write_text(words + file.read_text())
    return pipeline_of(open_project(project), read_settings(project, environ=environ or {}), models, VERB_NAMES)


def test_a_project_that_says_nothing_has_a_pipeline_all_the_same(project):
    found = made(project)
    assert [task.name for task in found.tasks] == ["ingest", "turn", "check", "train", "judge", "admit", "card"]
    assert (found.name, found.models, found.apart) == ("shop", ("demand",), False)
    assert found.schedule.span == timedelta(days=28)  # as often as it wishes to learn anew
    assert found.folder == str(project)


def test_what_is_said_is_carried_over_and_secrets_stay_names(project):
    found = made(project, SAID, {"DATABASE": "user:hush@db"})
    assert found.schedule == every(timedelta(days=1), at="04:30", zone="Europe/Berlin")
    assert (found.apart, found.secrets, found.task("train").pod, found.task("train").retries) == (True, ("DATABASE",), True, 1)
    assert found.arrivals[0].url == "s3://shop/orders/{day}/_SUCCESS"
    assert "hush" not in repr(found)


def test_only_the_secrets_of_the_stage_are_asked_for_and_of_those_a_proposed_change_has_none_of_where_things_are(project):
    file = project / "everloop.toml"
    rest = '\n[people]\nall = "slack://${SLACK}/a #b"\n[prod]\nregistry = "${PROD}"\n[dev]\nregistry = "${DEV}"\n'
    file.write_text('registry = "${HERE}" # not ${THIS}\n' + file.read_text() + rest)
    found = pipeline_of(open_project(project), asked_settings(project, "prod")[0])
    assert (found.secrets, found.secrets_beside) == (("PROD", "SLACK"), ("SLACK",))
    file.write_text(file.read_text() + '[prod.pipeline]\ndeploy = "dev"\nbackup = "s3://${COPIES}"\n')
    assert pipeline_of(open_project(project), asked_settings(project, "prod")[0]).secrets == ("COPIES", "DEV", "PROD", "SLACK")


@pytest.mark.parametrize(
    ("said", "error", "told"),
    [
        ('[pipeline]\narrives = { ordres = "s3://a/b" }\n', Unknown, "There is no source 'ordres'"),
        ('[pipeline]\npods = ["trian"]\nimage = "x"\n', Unknown, "There is no step 'trian'"),
        ('[pipeline]\npods = ["train"]\n', SettingsError, "nobody said of which image"),
        ('[pipeline]\nevery = "1h"\ntimeout = "2h"\n', SettingsError, "lower its timeout"),
        ('[pipeline]\nat = "04:30"\n', SettingsError, "does not say whose 04:30"),
        ("[pipeline]\nretries = 11\n", SettingsError, "0 to 10"),
        ('[pipeline]\narrives = "s3://a/b"\n', SettingsError, "say a source and the object"),
        ('[pipeline]\nevry = "1d"\n', SettingsError, "did you mean every?"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_name(project, said, error, told):
    with pytest.raises(error) as refused:
        made(project, said)
    assert told in str(refused.value)


def test_a_model_there_is_not_is_refused(project):
    with pytest.raises(Unknown, match="'demnad'"):
        made(project, models=("demnad",))


def test_a_candidate_that_passed_is_let_in_once_and_its_roll_out_begins(opened):
    house, model = opened("shop")
    with pytest.raises(Unknown, match="Learn one first"):
        let_in_judged(house, model, None, END)
    house = replace(house, settings=replace(house.settings, image="shop@sha256:ab", run="https://ci.example/7"))
    learnt = train_now(house, model, END)
    assert {("image", "shop@sha256:ab"), ("run", "https://ci.example/7")} <= set(learnt.environment)
    with pytest.raises(Unknown, match="Judge it first"):
        let_in_judged(house, model, None, END)
    assert judge_now(house, model, None, END).passed
    done = let_in_judged(house, model, None, END)
    assert (done.version, done.because) == ("demand@1", "")
    assert house.traffic(model).stage == "shadow"
    again = let_in_judged(house, model, done.candidate, END)
    assert (again.version, again.because) == ("demand@1", "demand@1 was let in before.")
    assert house.versions.named("demand@newest").name == "demand@1"
    house = replace(house, settings=replace(house.settings, run="https://ci.example/8"))
    assert reproduce(house, model, "demand@newest").otherwise == ()


def test_a_candidate_that_did_not_pass_and_one_that_needs_a_yes_are_told_and_not_let_in(opened):
    house, model = opened("shop", lambda text: text.replace("by=0.02)", "by=0.9)"))
    train_now(house, model, END)
    assert not judge_now(house, model, None, END).passed
    assert let_in_judged(house, model, None, END).version is None
    assert house.traffic(model).stage == "steady"
    assert [v.number for v in house.versions.all("demand")] == [0]
    house.store.close()
    words = ("--model", "demand", "--project", house.project.path.parent, "--now", "2026-11-01")
    assert "it is not let in" in said("admit", "newest", *words, code=1)
    assert "Kim" in said("admit", "newest", *words, "--override", "--by", "Kim", "--reason", "to be seen")
    assert "demand@1" in said("status", "--project", house.project.path.parent)


@pytest.mark.parametrize(
    "kind", [kind if kind in ("churn", "price") else pytest.param(kind, marks=pytest.mark.slow) for kind in HAPPENINGS]
)
def test_every_kind_of_project_goes_round_on_made_up_rows(kind, prepared, tmp_path):
    folder = tmp_path / kind
    shutil.copytree(prepared(kind), folder, ignore=shutil.ignore_patterns(".everloop", "data"))
    project = open_project(folder)
    (model,) = project.models.values()
    done = smoke(project, model, END)
    assert done.passed, str(done)
    assert done.verdict.outcome in str(done)
    assert not [f.sentence for f in done.report.findings if f.outcome != "passed" and "usual" not in f.clause]
    assert not (folder / ".everloop").exists()


def test_a_project_that_would_fail_in_life_fails_on_made_up_rows(prepared, tmp_path):
    folder = tmp_path / "shop"
    shutil.copytree(prepared("shop"), folder)
    file = folder / "project.py"
    file.write_text(file.read_text().replace("max_iter=60", "max_iter=-1"))
    project = open_project(folder)
    with pytest.raises(Exception, match="max_iter"):
        smoke(project, project.model("demand"), END)


def said(*words, code=0):
    told = CliRunner().invoke(app, [str(word) for word in words])
    assert told.exit_code == code, told.output
    return told.output


def test_the_terminal_judges_for_ci_and_writes_the_pipeline_of_every_scheduler(opened, tmp_path):
    house, model = opened("shop")
    train_now(house, model, END)
    house.store.close()
    where = ("--project", tmp_path / "shop")
    junit, comment, metrics = (tmp_path / "reports" / name for name in ("judge.xml", "comment.md", "metrics.json"))
    said("judge", "demand", *where, "--now", "2026-11-01", "--junit", junit, "--comment", comment, "--metrics", metrics)
    assert ET.parse(junit).getroot().get("failures") == "0"
    assert "### demand passed against the champion" in comment.read_text()
    assert json.loads(metrics.read_text())["passed"] == 1
    assert "demand@1 was let in" in said("admit", "newest", "--model", "demand", *where, "--now", "2026-11-01")
    assert "# demand@1" in said("card", "demand@newest", *where)
    told = said("export", "gitlab", "--to", tmp_path / "written", *where, code=1)
    assert told == ""  # main() says the message; nothing was written
    assert not (tmp_path / "written").exists()
    settings = tmp_path / "shop" / "everloop.toml"
    settings.write_text(
        settings.read_text()
        + '\n[pipeline]\nevery = "7d"\nshared = "/srv/house"\nrunner = "shop"\ntags = ["shop"]\nimage = "shop@sha256:00"\n'
    )
    written = {"airflow": "shop.py", "kubeflow": "shop_pipeline.py", "github": ".github/workflows/everloop.yml"}
    for target, file in (written | {"gitlab": ".gitlab-ci.yml", "dvc-pipeline": "dvc.yaml"}).items():
        told = said("export", target, "demand", "--to", tmp_path / "written", *where)
        assert file in told
        assert "7 steps, 1 model." in told
        assert "everloop" in (tmp_path / "written" / file).read_text()
    stages = yaml.safe_load((tmp_path / "written" / "dvc.yaml").read_text())["stages"]
    assert all("--project ../shop" in stage.get("do", stage)["cmd"] for stage in stages.values())
    said("export", "github", "demand", "--to", tmp_path, *where)
    assert "working-directory: shop" in (tmp_path / ".github" / "workflows" / "everloop.yml").read_text()
    shutil.copytree(tmp_path / "shop", tmp_path / "renamed", ignore=shutil.ignore_patterns(".everloop"))
    file = (tmp_path / "renamed" / "project.py").rename(tmp_path / "renamed" / "beans.py")
    for target, text in {"gitlab": "everloop explain --project beans.py", "airflow": "everloop check demand --project beans.py"}.items():
        said("export", target, "demand", "--to", tmp_path / "renamed", "--project", file)
        assert any(text in path.read_text() for path in (tmp_path / "renamed").iterdir() if path.is_file())
    (tmp_path / "written" / "dvc.yaml").write_text("mine: 1\n")
    said("export", "dvc-pipeline", "--to", tmp_path / "written", *where, code=1)
    assert (tmp_path / "written" / "dvc.yaml").read_text() == "mine: 1\n"


def test_a_turn_without_learning_moves_a_roll_out_and_learns_nothing_until_it_is_over(opened, tmp_path):
    house, model = opened("shop")
    train_now(house, model, END)
    judge_now(house, model, None, END)
    let_in_judged(house, model, None, END)
    stages, at = [house.traffic(model).stage], END
    learnt = len(list(house.journal.read(kind="Candidate", model="demand")))
    while house.traffic(model).rolling and at < END + timedelta(days=90):
        at += timedelta(days=1)
        done = move(house, model, at)
        stages.append(house.traffic(model).stage)
        assert (done.waits is None) is not house.traffic(model).rolling
    assert "canary" in stages or "steady" in stages, stages
    assert len(list(house.journal.read(kind="Candidate", model="demand"))) == learnt


def test_a_steady_model_that_wishes_to_learn_is_let_go_on_by_a_turn_that_learns_nothing(opened, tmp_path):
    house, model = opened("shop")
    done = move(house, model, END, answer=True)
    assert (done.decision.action, done.decision.cause, done.waits) == ("hold", "watch", None)
    assert done.decision.because[-1].startswith("whoever runs its steps")
    assert done.answers > 0
    assert move(house, model, END, answer=True).answers == 0, "the same instant is the same turn"
    assert [e for e in house.journal.read(kind="Candidate", model="demand") if e.record.format != "baseline"] == []
    hand.hold(house, model, by="ada", reason="a look", now=END)
    assert "it is held" in move(house, model, END + timedelta(hours=1)).waits
    house.store.close()
    where = ("--project", tmp_path / "shop", "--now", "2026-11-01T02:00")
    assert "nothing is learnt before: everloop release demand" in said("turn", "demand", "--no-learning", "--score", *where, code=1)
    said("release", "demand", "--by", "ada", "--reason", "looked", *where)
    assert "answers." in said("turn", "demand", "--no-learning", "--score", "--project", tmp_path / "shop", "--now", "2026-11-01T03:00")
    for words in (("--no-learning", "--retrain"), ("--score",)):
        said("turn", "demand", *words, *where, code=1)
