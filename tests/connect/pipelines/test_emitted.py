"""What is written for each scheduler: all steps, their order, their gates and tries; and what is refused before a file is."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import jinja2
import pytest
import yaml

from everloop import days, every, minutes
from everloop.connect.pipelines import airflow, dvc_pipeline, github, gitlab, kubeflow
from everloop.connect.pipelines.carried import AIRFLOW, DVC, GITHUB, GITLAB, KUBEFLOW, ROLLS, carried, left_over
from everloop.connect.pipelines.lines import command, tried
from everloop.errors import EverloopError, SettingsError, Unknown

NOW = "2026-11-01"


def test_a_command_is_tried_as_often_as_it_may_and_no_is_an_answer(pipeline, shell):
    train, judge = pipeline.task("train"), pipeline.task("judge")
    lines = tried(command(train, "demand", NOW), train)
    assert shell(lines, fails=0) == (0, [f"train demand --now {NOW}"])
    assert shell(lines, fails=2) == (0, [f"train demand --now {NOW}"] * 3)
    code, calls = shell(lines, fails=3)
    assert (code, len(calls)) == (2, 3)
    code, calls = shell(tried(command(judge, "dull", NOW), judge))
    assert (code, len(calls)) == (1, 1)


def test_every_run_stands_in_the_dag_once_and_waits_for_those_it_needs(pipeline):
    (text,) = airflow.files(pipeline).values()
    tree = ast.parse(text)
    operators = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "BashOperator"]
    assert len(operators) == len(list(pipeline.runs()))
    arrows = [ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.RShift)]
    assert {"arrived_orders >> ingest", "ingest >> turn_demand", "turn_demand >> check_demand", "judge_dull >> admit_dull"} <= set(arrows)
    assert len(arrows) == 1 + sum(len(pipeline.waits_for(*run)) for run in pipeline.runs())
    gates = [n for n in operators if any(k.arg == "skip_on_exit_code" for k in n.keywords)]
    assert len(gates) == 2 * sum(task.gate for task in pipeline.tasks if task.foreach)
    assert "'30 4 * * *'" in text
    assert "tz='Europe/Berlin'" in text


def test_a_step_that_gets_a_pod_is_one_of_the_image(pipeline):
    tasks = tuple(replace(task, pod=task.name == "train") for task in pipeline.tasks)
    (text,) = airflow.files(carried(replace(pipeline, tasks=tasks), AIRFLOW)).values()
    ast.parse(text)
    assert text.count("KubernetesPodOperator(") == 2
    assert "arguments=['train', 'dull', '--now', NOW]" in text
    assert "everloop-shop" in text


class Run:
    """A run as Airflow's templates see it: daily at half past four in Berlin, counted by intervals."""

    data_interval_end = datetime(2026, 11, 2, 3, 30, tzinfo=UTC)
    logical_date = datetime(2026, 11, 1, 3, 30, tzinfo=UTC)
    run_after = datetime(2026, 11, 2, 3, 31, tzinfo=UTC)


class ByHand(Run):
    data_interval_end = logical_date = None


def rendered(template, run, zone="Europe/Berlin"):
    """A template as Airflow fills it in: Jinja, with its filters ds and ts."""
    around = jinja2.Environment(autoescape=False)
    around.filters |= {"ds": lambda at: at.strftime("%Y-%m-%d"), "ts": lambda at: at.isoformat()}
    return around.from_string(template).render(dag_run=run, dag=SimpleNamespace(timezone=ZoneInfo(zone)))


def test_a_run_of_airflow_is_about_the_tick_it_was_due_at_and_a_day_is_one_of_its_own_zone(pipeline):
    late = replace(pipeline, schedule=every(days(1), at="00:30", zone="Europe/Berlin"))
    for one in (pipeline, late, replace(pipeline, schedule=every(minutes(30)))):
        (text,) = airflow.files(one).values()
        named = {n.targets[0].id: n.value for n in ast.parse(text).body if isinstance(n, ast.Assign)}
        now = ast.literal_eval(named["NOW"])
        assert rendered(now, Run) == "2026-11-02T03:30:00+00:00"
        assert rendered(now, ByHand) == "2026-11-02T03:31:00+00:00"
    (text,) = airflow.files(late).values()
    (call,) = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "wait_for_orders"]
    just_after_midnight = SimpleNamespace(data_interval_end=datetime(2026, 11, 1, 23, 30, tzinfo=UTC))
    assert rendered(ast.literal_eval(call.args[0]), just_after_midnight) == "s3://shop/orders/2026-11-02/_SUCCESS"


def test_a_gate_of_kubeflow_holds_all_that_waits_for_it(pipeline):
    (text,) = kubeflow.files(carried(pipeline, KUBEFLOW, ["arrivals"])).values()
    tree = ast.parse(text)
    (made,) = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "shop"]
    depth = {}

    def walk(nodes, gates):
        for node in nodes:
            if isinstance(node, ast.Assign):
                depth[node.targets[0].id] = gates
            elif isinstance(node, ast.With):
                said = ast.unparse(node.items[0].context_expr)
                walk(node.body, (*gates, said))

    walk(made.body, ())
    loop = "dsl.ParallelFor(items=['demand', 'dull'])"
    judged = "dsl.If(judge.output == 'yes')"
    assert depth["ingest"] == ()
    assert depth["check"] == (loop, "dsl.If(turn.output == 'yes')")
    assert depth["admit"][-1] == judged
    assert depth["card"] == (*depth["admit"], "dsl.If(admit.output == 'yes')")


def test_a_job_of_github_goes_on_where_a_record_said_yes_and_stays_green_where_it_said_no(pipeline, shell, tmp_path):
    (text,) = github.files(pipeline).values()
    jobs = yaml.safe_load(text)["jobs"]
    assert yaml.safe_load(text)["on"]["schedule"] == [{"cron": "30 4 * * *", "timezone": "Europe/Berlin"}]
    assert jobs["learn"]["needs"] == ["moment", "ingest"]
    assert jobs["learn"]["strategy"]["matrix"]["model"] == ["demand", "dull"]
    steps = [step for step in jobs["learn"]["steps"] if step.get("id")]
    assert [step["id"] for step in steps] == ["turn", "check", "train", "judge", "admit", "card"]
    ran = {}
    for model in ("demand", "dull"):
        said: dict[str, str] = {}
        for step in steps:
            closed = [g for g in said if f"steps.{g}.outputs.said != 'no'" in step.get("if", "") and said[g] == "no"]
            if closed:
                continue
            out = tmp_path / "out"
            out.write_text("")
            code, calls = shell(step["run"], fails=1, NOW=NOW, MODEL=model, GITHUB_OUTPUT=str(out))
            assert code == 0, step
            said[step["id"]] = "no" if "said=no" in out.read_text() else ""
            ran.setdefault(model, []).extend(calls)
    assert [line.split()[0] for line in ran["demand"]] == ["turn", "check", "train", "train", "judge", "admit", "card"]
    assert [line.split()[0] for line in ran["dull"]] == ["turn", "check", "train", "judge"]
    assert "reports/check-demand.xml" in ran["demand"][1]


def test_github_builds_an_image_where_a_model_was_let_in_and_none_where_every_gate_said_no(pipeline, shell, tmp_path):
    apart = tuple(replace(task, name=f"{task.name}_too", foreach=("dull",), needs=()) for task in pipeline.tasks[-1:])
    (text,) = github.files(replace(pipeline, tasks=pipeline.tasks + apart), "ghcr.io/shop/models").values()
    jobs = yaml.safe_load(text)["jobs"]
    assert jobs["image"]["needs"] == ["learn", "learn1"]
    tells = [step for step in jobs["learn"]["steps"] if "passed" in str(step.get("with", step.get("run", "")))]
    gates = [task.name for task in pipeline.tasks if task.gate and task.foreach]
    assert gates == ["turn", "check", "train", "judge", "admit"]
    assert len(tells) == 2
    assert {step["if"] for step in tells} == {" && ".join(f"steps.{gate}.outputs.said != 'no'" for gate in gates)}
    assert "passed" not in str(jobs["learn1"]), "no gate, so nobody was let in"
    fetch, asks, *builds = jobs["image"]["steps"]
    assert fetch["with"]["pattern"] == "passed-*"
    assert {step["if"] for step in builds} == {"steps.passed.outputs.any == 'yes'"}
    out, temp = tmp_path / "out", tmp_path / "temp"
    for there, said in ((False, ""), (True, "any=yes\n")):
        out.write_text("")
        if there:
            (temp / "passed").mkdir(parents=True)
            (temp / "passed" / "demand").write_text("demand\n")
        assert shell(asks["run"], RUNNER_TEMP=str(temp), GITHUB_OUTPUT=str(out), GITHUB_STEP_SUMMARY=str(tmp_path / "sum"))[0] == 0
        assert out.read_text() == said
    assert fetch["with"]["merge-multiple"] is True, "a file for each model in one folder"
    assert built(builds[1]["run"], shell, RUNNER_TEMP=str(temp), GITHUB_SHA="5d1f") == [
        "build --build-arg PASSED=demand --tag ghcr.io/shop/models:5d1f ."
    ]


def built(lines, shell, **env):
    """What a docker was asked for."""
    shell.docker()
    code, calls = shell(lines, **env)
    assert code == 0
    return calls


def test_gitlab_builds_an_image_where_a_model_was_let_in_and_none_where_every_gate_said_no(pipeline, shell, tmp_path):
    (text,) = gitlab.files(pipeline, "registry.example.com/shop").values()
    body = yaml.safe_load(text)
    image = body["build image"]
    assert image["rules"][0]["when"] == "always", "a gate that said no is a job that failed, and the other model goes on"
    assert "needs" not in image, "else it begins as soon as one of them is skipped, while others are under way"
    assert body["stages"][-1] == image["stage"]
    env = {"NOW": NOW, "CI_COMMIT_SHA": "5d1f"}
    assert built("\n".join(image["script"]), shell, **env) == []
    assert shell(body["admit demand"]["script"][0], **env)[0] == 0
    assert "passed/" in body["admit demand"]["artifacts"]["paths"]
    assert not any("passed" in str(body[f"{step} demand"]) for step in ("check", "train", "judge", "card"))
    asked = built("\n".join(image["script"]), shell, **env)
    assert asked[0] == "build --build-arg PASSED=demand --tag registry.example.com/shop:5d1f ."
    assert [line.split()[0] for line in asked] == ["build", "run", "push", "inspect"]


def test_both_say_the_same_of_the_image(pipeline):
    (github_says,), (gitlab_says,) = (
        [line for line in next(iter(target.files(pipeline, "shop").values())).splitlines() if "image is built" in line and line[0] == "#"]
        for target in (github, gitlab)
    )
    assert github_says == gitlab_says
    assert "at least one model was let in" in github_says


def test_a_project_below_the_root_of_a_repository_is_run_in_its_own_folder(pipeline, shell, tmp_path):
    inside = replace(pipeline, below="shops/beans", image=None)
    jobs = yaml.safe_load("".join(github.files(inside, "ghcr.io/shop/models").values()))
    assert jobs["defaults"]["run"]["working-directory"] == "shops/beans"
    first = {name: job["steps"][:2] for name, job in jobs["jobs"].items()}
    for name in ("moment", "image"):  # before anything is checked out there is no such folder
        assert [step["working-directory"] for step in first[name] if "run" in step] == ["."]
    kept = [step["with"]["path"] for job in jobs["jobs"].values() for step in job["steps"] if "upload" in step.get("uses", "")]
    assert {path.split("/")[0] for path in kept} == {"shops"}
    body = yaml.safe_load("".join(gitlab.files(inside, "shop").values()))
    assert body["default"]["before_script"][0] == body["build image"]["before_script"][0] == "cd shops/beans"
    paths = [path for job in body.values() if isinstance(job, dict) for path in job.get("artifacts", {}).get("paths", ())]
    assert len(paths) > 8
    assert all(path.startswith("shops/beans/") for path in paths)


def test_what_everloop_toml_and_the_terminal_say_is_a_word_of_shell_and_runs_nothing(pipeline, shell, tmp_path):
    backup = "s3://${COPIES}/$(touch ran)`touch ran`"
    (text,) = github.files(replace(pipeline, backup=backup)).values()
    (line,) = [one for one in yaml.safe_load(text)["jobs"]["propose"]["steps"] if one.get("name") == "Learn and judge, apart"]
    assert shell(line["run"].splitlines()[0], COPIES="there") == (0, ["restore s3://there/$(touch ran)`touch ran`"])
    assert not (tmp_path / "ran").exists()
    for target in (github, gitlab):
        with pytest.raises(EverloopError, match="is no repository"):
            target.files(pipeline, "ghcr.io/shop; touch ran")


def test_secrets_are_said_by_name_alone(pipeline):
    assert "DATABASE: ${{ secrets.DATABASE }}" in "".join(github.files(pipeline).values()).replace('"', "")
    assert "DATABASE" in "\n".join(left_over(pipeline, GITLAB))


def test_a_proposed_change_is_given_what_a_house_of_its_own_reads_and_waits_for_a_yes(pipeline):
    (text,) = github.files(replace(pipeline, secrets_beside=("SLACK_TOKEN",))).values()
    job = yaml.safe_load(text)["jobs"]["propose"]
    assert {name for name, said in job["env"].items() if "secrets." in said} == {"SLACK_TOKEN"}
    assert job["environment"] == "everloop-proposed"


def test_each_run_of_gitlab_is_a_job_that_needs_its_own(pipeline, shell):
    (text,) = gitlab.files(pipeline, "$CI_REGISTRY_IMAGE").values()
    body = yaml.safe_load(text)
    assert body["judge dull"]["needs"] == ["train dull", "turn dull"], "whose note says whether anything is to be learnt"
    assert body["check dull"]["needs"] == ["turn dull"]
    assert body["turn dull"]["needs"] == ["ingest"]
    assert body["ingest"]["needs"] == ["test"]
    assert body["train demand"]["retry"]["when"] == ["runner_system_failure", "stuck_or_timeout_failure"]
    lines = body["train demand"]["script"][0]
    assert shell(lines, fails=1, NOW=NOW) == (0, [f"train demand --now {NOW}"] * 2)
    assert shell(body["judge dull"]["script"][0], NOW=NOW)[0] == 1
    assert 'glab schedule create --cron "30 4 * * *" --cronTimeZone Europe/Berlin' in text
    assert set(body["stages"]) >= {job["stage"] for job in body.values() if isinstance(job, dict) and "stage" in job}


def test_a_stage_of_dvc_waits_for_the_note_of_the_one_before(pipeline, shell):
    found = dvc_pipeline.files(carried(pipeline, DVC, ["arrivals"]), NOW, ("project.py",))
    stages = yaml.safe_load(found["dvc.yaml"])["stages"]
    assert yaml.safe_load(found["everloop.params.yaml"]) == {"everloop": {"now": NOW}}
    assert stages["ingest"]["deps"] == ["project.py"]
    assert stages["judge"]["foreach"] == ["demand", "dull"]
    assert stages["judge"]["do"]["deps"] == ["reports/train-${item}.done"]
    assert stages["judge"]["do"]["metrics"] == [{"reports/judge-${item}.json": {"cache": False}}]
    assert all("cache" in out[next(iter(out))] for s in stages.values() for out in s.get("do", s)["outs"])
    line = stages["train"]["do"]["cmd"].replace("${item}", "demand").replace("${everloop.now}", NOW)
    assert "\n" not in line, "DVC would run each line by itself"
    assert shell(line, fails=1) == (0, [f"train demand --now {NOW}"] * 2)
    assert shell(line, fails=3)[0] == 2


def test_gitlab_leaves_out_what_comes_after_a_roll_out_that_is_under_way_and_shows_no_failure(pipeline, shell, tmp_path):
    body = yaml.safe_load("".join(gitlab.files(pipeline).values()))
    assert body["turn demand"]["allow_failure"] == {"exit_codes": [1]}
    assert [name for name, job in body.items() if isinstance(job, dict) and "allow_failure" in job] == ["turn demand", "turn dull"]
    for model, left_out in (("demand", True), ("dull", False)):
        code, calls = shell(body[f"turn {model}"]["script"][0], NOW=NOW, ROLLS="demand")
        assert (code, len(calls)) == (int(left_out), 1)
        assert "waiting/" in body[f"turn {model}"]["artifacts"]["paths"]
        for step in ("check", "train", "admit", "card"):
            assert f"turn {model}" in body[f"{step} {model}"]["needs"], "whose artifacts it is given"
            code, calls = shell(body[f"{step} {model}"]["script"][0], NOW=NOW)
            assert (code, calls == []) == (0, left_out)
    assert not (tmp_path / "passed" / "demand").exists()
    assert shell(body["turn demand"]["script"][0], NOW=NOW)[0] == 0, "it is over"
    assert len(shell(body["check demand"]["script"][0], NOW=NOW)[1]) == 1


def test_what_is_done_in_the_house_goes_to_the_machines_that_have_it_and_what_is_proposed_does_not(pipeline):
    own = replace(pipeline, shared="/srv/house", runner="self-hosted", tags=("shop",))
    jobs = yaml.safe_load("".join(github.files(carried(own, GITHUB), "ghcr.io/shop/models").values()))["jobs"]
    at = {name: job["runs-on"] for name, job in jobs.items()}
    assert at == dict.fromkeys(("test", "propose", "moment", "image"), "ubuntu-latest") | dict.fromkeys(("ingest", "learn"), "self-hosted")
    body = yaml.safe_load("".join(gitlab.files(carried(own, GITLAB)).values()))
    tagged = {name.split()[0] for name, job in body.items() if isinstance(job, dict) and job.get("tags") == ["shop"]}
    assert tagged == {task.name for task in pipeline.tasks}


def test_a_clock_that_ticks_more_seldom_than_models_are_asked_is_said_with_what_to_run_in_between(pipeline):
    seldom = replace(pipeline, schedule=every(days(28)), asked=every(days(1)), stage="prod")
    (told,) = [line for line in left_over(seldom, AIRFLOW) if "in between" in line]
    assert "every 28 days" in told
    assert told.endswith("everloop ingest --stage prod; everloop turn --no-learning --score --stage prod")
    assert f"# {told}" in "".join(airflow.files(seldom).values())
    assert not [line for line in left_over(replace(seldom, schedule=every(days(1))), AIRFLOW) if "in between" in line]


def test_every_file_says_what_becomes_of_a_roll_out(pipeline):
    for target, scheduler in ((airflow, AIRFLOW), (kubeflow, KUBEFLOW), (github, GITHUB), (gitlab, GITLAB)):
        (text,) = target.files(carried(pipeline, scheduler, ["arrivals"])).values()
        assert ROLLS in text
    assert ROLLS in dvc_pipeline.files(carried(pipeline, DVC, ["arrivals"]), NOW)["dvc.yaml"]


def one_machine(pipeline):
    return replace(pipeline, apart=False)


def with_task(pipeline, name, **words):
    return replace(pipeline, tasks=tuple(replace(task, **words) if task.name == name else task for task in pipeline.tasks))


SEEDED = [
    ("28 days by cron", lambda p: replace(p, schedule=every(days(28))), GITHUB, "schedule: every 28 days is nothing cron counts"),
    ("5 hours by cron", lambda p: replace(p, schedule=every(minutes(300))), GITLAB, "schedule: every 5 hours is nothing cron counts"),
    ("an arrival for Kubeflow", lambda p: p, KUBEFLOW, "arrivals: Kubeflow Pipelines waits for no object"),
    ("an arrival for DVC", lambda p: p, DVC, "arrivals: DVC waits for no object"),
    ("a folder between machines", one_machine, GITHUB, "house: GitHub Actions runs each step on a machine of its own"),
    ("a folder between pods", one_machine, KUBEFLOW, "house: Kubeflow Pipelines runs each step"),
    ("a folder and a pod", lambda p: with_task(one_machine(p), "train", pod=True), AIRFLOW, "house: a pod has its own disk"),
    ("a pod of GitLab", lambda p: with_task(p, "train", pod=True), GITLAB, "pods: GitLab CI starts none for train"),
    ("a pod of GitHub", lambda p: with_task(p, "train", pod=True), GITHUB, "pods: GitHub Actions starts none for train"),
    ("no image for Kubeflow", lambda p: replace(p, image=None), KUBEFLOW, "image: each step of Kubeflow Pipelines runs in one"),
    ("a mounted folder on GitHub's own", lambda p: replace(p, shared="/srv/house"), GITHUB, "runner: ubuntu-latest is a machine"),
    ("a mounted folder and any runner", lambda p: replace(p, shared="/srv/house"), GITLAB, "tags: any runner of GitLab may take a job"),
    ("two gates at once", lambda p: with_task(p, "card", needs=("judge", "admit")), KUBEFLOW, "needs: Kubeflow Pipelines runs card inside"),
]  # fmt: skip


@pytest.mark.parametrize(("broken", "scheduler", "told"), [seed[1:] for seed in SEEDED], ids=[seed[0] for seed in SEEDED])
def test_what_a_scheduler_cannot_be_told_is_refused_by_name(pipeline, broken, scheduler, told):
    with pytest.raises(SettingsError, match="nothing was written") as refused:
        carried(broken(pipeline), scheduler)
    assert told in str(refused.value)


def test_what_is_given_up_is_not_refused(pipeline):
    assert carried(pipeline, DVC, ["arrivals"]).arrivals == ()
    assert carried(replace(pipeline, schedule=every(days(28))), GITHUB, ["schedule"]).schedule is None
    assert carried(with_task(pipeline, "train", pod=True), GITHUB, ["pods"]).task("train").pod is False
    with pytest.raises(Unknown, match="'arrival'"):
        carried(pipeline, DVC, ["arrival"])


def test_airflow_counts_any_span(pipeline):
    (text,) = airflow.files(carried(replace(pipeline, schedule=every(days(28))), AIRFLOW)).values()
    assert f"timedelta(seconds={int(timedelta(days=28).total_seconds())})" in text


def test_a_project_without_tests_is_told_so_and_one_whose_tests_fail_fails(pipeline, shell, tmp_path):
    steps = yaml.safe_load("".join(github.files(pipeline).values()))["jobs"]["test"]["steps"]
    (of_github,) = [step["run"] for step in steps if step.get("name") == "Test"]
    (of_gitlab,) = [line for line in yaml.safe_load("".join(gitlab.files(pipeline).values()))["test"]["script"] if "pytest --" in line]
    python = tmp_path / "bin" / "python"
    for line in (of_github, of_gitlab):
        for exits, code in ((0, 0), (5, 0), (1, 1), (2, 2)):
            python.write_text(f"#!/bin/sh\nexit {exits}\n")
            python.chmod(0o755)
            assert shell(line)[0] == code
    assert 'echo "::warning::There are no tests yet' in of_github
    assert 'echo "Warning: There are no tests yet' in of_gitlab
