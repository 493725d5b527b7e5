"""Manifests as a platform engineer would read them: nobody is root, no secret is a value, nobody is sent to a pod that ends."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.connect.deployments import ALL, BAKED, BASE, DRAINS, LOCAL, SHARED, facts

from everloop.connect import compose, kserve
from everloop.connect.kubernetes import folder
from everloop.connect.kubernetes.facts import USER, Room
from everloop.connect.kubernetes.written import yaml_text
from everloop.connect.whole import put_own
from everloop.errors import EverloopError
from everloop.serving.paths import at

KINDS = {"kubernetes": folder.files, "kserve": kserve.files, "compose": compose.files}


def said(facts, files=folder.files):
    """Every manifest of a deployment by its file."""
    made = files(facts, "deploy")
    return {name: list(yaml.safe_load_all(text)) for name, text in made.items() if name.endswith(".yaml")}


def pods(facts, files=folder.files):
    """Every pod there would be: (file, its spec)."""

    def within(value):
        if isinstance(value, dict):
            if "containers" in value and isinstance(value["containers"], list):
                yield value
            for inner in value.values():
                yield from within(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from within(inner)

    return [(name, pod) for name, documents in said(facts, files).items() for pod in within(documents)]


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(["yes", "null", "1e3", "- a", "#", "a: b", "0o7", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=6), plain.filter(lambda value: value is not None), max_size=4))
def test_what_is_written_is_read_back_whatever_it_holds(manifest):
    def without_nothing(value):
        if isinstance(value, dict):
            return {key: without_nothing(inner) for key, inner in value.items() if inner is not None}
        return [without_nothing(inner) for inner in value] if isinstance(value, list) else value

    [read] = yaml.safe_load_all(yaml_text("a test", "why\nand why", manifest)) if manifest else [{}]
    assert (read or {}) == without_nothing(manifest)


@pytest.mark.parametrize("kind", ["kubernetes", "kserve"])
@pytest.mark.parametrize("facts", [SHARED, DRAINS, BAKED, LOCAL], ids=ALL)
def test_no_container_is_root_or_may_become_it_and_none_can_change_what_it_runs(facts, kind):
    if kind == "kserve" and facts.local:
        return
    found = pods(facts, KINDS[kind])
    assert found
    for name, pod in found:
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] == USER
        assert pod["automountServiceAccountToken"] is False
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            locked = container["securityContext"]
            assert (locked["allowPrivilegeEscalation"], locked["readOnlyRootFilesystem"]) == (False, True), name
            assert locked["capabilities"] == {"drop": ["ALL"]}
            assert set(container["resources"]) == {"requests", "limits"}
            assert "cpu" not in container["resources"]["limits"], "who is held back answers late"


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_is_a_reference_in_every_file_and_never_a_value(kind):
    assert kind == "compose" or list(pods(SHARED, KINDS[kind]))
    for name, pod in pods(SHARED, KINDS[kind]):
        for container in pod["containers"]:
            env = {each["name"]: each for each in container["env"]}
            assert set(env) == set(SHARED.secrets), name
            assert all(set(each) == {"name", "valueFrom"} for each in env.values())
    if kind == "compose":
        services = said(SHARED, compose.files)["compose.yaml"][0]["services"]
        for service in services.values():
            assert all(re.fullmatch(r"\$\{(\w+):\?.*\}", value)[1] == name for name, value in service["environment"].items())


@pytest.mark.parametrize("facts", [SHARED, DRAINS, BAKED], ids=["shared", "drains", "baked"])
def test_nobody_is_sent_to_a_pod_that_ends_and_none_is_away_while_another_comes(facts):
    files = said(facts)
    [deployment] = files["base/serving.yaml"]
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "replicas" not in deployment["spec"], "the autoscaler says how many, also when it is applied again"
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    waits = facts.drain or 10
    assert pod["terminationGracePeriodSeconds"] >= waits + 20
    assert ("lifecycle" in container) == (not facts.drain), "it waits before it is told to end, or drains by itself, not both"
    [disruption] = files["base/disruption.yaml"]
    [scaler] = files["base/autoscaler.yaml"]
    assert disruption["spec"]["maxUnavailable"] < scaler["spec"]["minReplicas"]


@pytest.mark.parametrize("facts", ALL.values(), ids=ALL)
def test_probes_ask_at_routes_the_house_has_and_that_are_open_to_all(facts):
    for name, pod in pods(facts):
        for container in pod["containers"]:
            probed = {probe: container[probe]["httpGet"] for probe in container if probe.endswith("Probe")}
            if container["name"] == "serving":
                assert set(probed) == {"startupProbe", "readinessProbe", "livenessProbe"}, name
            for get in probed.values():
                assert at(get["path"])[0]["GET"].scope is None
                assert get["port"] in [port["name"] for port in container["ports"]]
    assert "/health/live" in folder.files(facts, "deploy")["base/serving.yaml"]


def test_a_service_reaches_the_canary_and_the_stable_pods_and_their_deployments_share_none():
    files = said(SHARED)
    [service] = files["base/service.yaml"]
    [stable], [canary] = files["base/serving.yaml"], files["overlays/canary/deployment.yaml"]
    for deployment in (stable, canary):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert not stable["spec"]["selector"]["matchLabels"].items() <= canary["spec"]["template"]["metadata"]["labels"].items()
    worker = files["base/worker.yaml"][0]["spec"]["template"]["metadata"]["labels"]
    assert not service["spec"]["selector"].items() <= worker.items(), "nobody asks who learns"


def test_what_goes_out_is_what_its_own_urls_ask_for_and_never_the_metadata_of_the_cloud():
    [policy] = said(SHARED)["base/network.yaml"]
    names, out = policy["spec"]["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert [port["port"] for port in out["ports"]] == [443, 5432, 6379]
    assert out["to"][0]["ipBlock"]["except"] == ["169.254.169.254/32"]
    [alone] = said(BAKED)["base/network.yaml"]
    assert len(alone["spec"]["egress"]) == 1, "who asks nobody may ask nobody"


@pytest.mark.parametrize("facts", ALL.values(), ids=ALL)
def test_the_dockerfile_pins_what_it_builds_on_and_what_it_installs_and_ends_as_nobody(facts):
    text = folder.files(facts, "deploy")["Dockerfile"]
    assert f"ARG BASE={BASE}" in text
    assert "--require-hashes" in text
    stages = dict(re.findall(r"^FROM (\S+) AS (\w+)$", text, re.MULTILINE)[::-1])
    assert stages
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE)[-1] == f"{USER}:{USER}"
    assert ("AS training" in text) == (not facts.baked)
    assert ("libgomp1" in text) == bool(facts.libraries)
    kept = folder.files(facts, "deploy")["Dockerfile.dockerignore"].splitlines()
    assert kept[1] == "*"
    assert {line[1:] for line in kept[2:]} == {"requirements.txt", *facts.files, *([facts.baked.file] if facts.baked else [])}


def test_a_version_in_the_image_is_unpacked_in_every_pod_and_nobody_turns_it():
    files = said(BAKED)
    assert "base/worker.yaml" not in files
    for name in ("base/serving.yaml", "overlays/canary/deployment.yaml"):
        [deployment] = files[name]
        [unpack] = deployment["spec"]["template"]["spec"]["initContainers"]
        assert unpack["image"] == deployment["spec"]["template"]["spec"]["containers"][0]["image"], "what is in its own image"
    text = folder.files(BAKED, "deploy")["Dockerfile"]
    assert "bake /build/demand-3.everloop --model demand" in text
    assert "--mount=type=secret,id=predict_key,required=true" in text, "an image that answers nobody is not built"


def test_a_house_in_a_file_is_one_pod_on_one_volume():
    files = said(LOCAL)
    [deployment] = files["base/serving.yaml"]
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert deployment["spec"]["template"]["spec"]["containers"][0]["args"][0] == "run"
    assert not {"base/autoscaler.yaml", "base/worker.yaml", "overlays/canary/deployment.yaml"} & set(files)
    assert files["base/house.yaml"][0]["spec"]["accessModes"] == ["ReadWriteOncePod"]


def test_room_is_what_was_seen_and_some_to_spare():
    asked = Room(0.5, 1000 << 20, "").resources
    assert asked == {"requests": {"cpu": "650m", "memory": "1120Mi"}, "limits": {"memory": "1536Mi"}}


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 64), st.integers(0, 1 << 40))
def test_nobody_is_given_less_than_was_seen(cores, peak):
    room = Room(cores, peak, "")
    assert room.millicores >= 1000 * cores
    assert peak / (1 << 20) <= room.asked_mebi <= room.most_mebi


def test_argo_and_flagger_ask_the_house_how_its_own_roll_out_stands():
    files = said(SHARED)
    [template] = files["overlays/argo/analysis.yaml"]
    [metric] = template["spec"]["metrics"]
    web = metric["provider"]["web"]
    where = web["url"].replace("{{args.rollout}}", "demand")
    assert where == "http://demand.shop.svc/v1/rollouts/demand/verdict"
    assert at("/v1" + where.partition("/v1")[2])[0]["GET"].scope == "look"
    key = next(arg for arg in template["spec"]["args"] if arg["name"] == "key")
    assert key["valueFrom"]["secretKeyRef"] == {"name": "demand-secrets", "key": "LOOK_KEY"}
    [canary] = files["overlays/flagger/canary.yaml"]
    for hook in canary["spec"]["analysis"]["webhooks"]:
        path = "/v1" + hook["url"].partition("/v1")[2].partition("?")[0]
        assert at(path)[0]["POST"].scope == "look"
        assert hook["url"].endswith(f"gate={hook['type']}")
    assert "ev_…" in folder.files(SHARED, "deploy")["overlays/flagger/gate.env.example"], "an example, and no key"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("facts", ALL.values(), ids=ALL)
def test_the_same_facts_are_the_same_files_and_all_say_who_wrote_them(facts, kind, tmp_path):
    made = KINDS[kind](facts, "deploy")
    assert made == KINDS[kind](replace(facts), "deploy")
    mark = f"everloop export {kind}"
    assert all(mark in text for text in made.values()), [name for name, text in made.items() if mark not in text]
    put_own(tmp_path, made, mark)
    put_own(tmp_path, made, mark)  # written again over itself
    theirs = next(iter(made))
    (tmp_path / theirs).write_text("somebody's own")
    with pytest.raises(EverloopError, match="was not written by everloop"):
        put_own(tmp_path, made, mark)


def test_the_runbook_says_how_it_stands_and_how_it_is_taken_back():
    page = folder.files(SHARED, "deploy", from_files=("orders",))["README.md"]
    for words in (
        "everloop status",
        "everloop undo demand",
        "rollout undo deployment/demand",
        "kubectl apply -k deploy/base",
        "POST /v1/events/orders",
    ):
        assert words in page
    assert "everloop undo" not in folder.files(BAKED, "deploy")["README.md"], "an image has nothing to go back to but another image"


def test_compose_is_one_machine_with_a_volume_and_nothing_but_it_can_be_written():
    [whole] = said(SHARED, compose.files)["compose.yaml"]
    assert set(whole["services"]) == {"serving", "worker"}
    for service in whole["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["build"]["context"] == ".."
    assert whole["services"]["serving"]["ports"] == ["127.0.0.1:8321:8321"], "beyond this machine only what somebody puts before it"
    assert set(said(LOCAL, compose.files)["compose.yaml"][0]["services"]) == {"serving"}
    assert facts().name in whole["name"]


@pytest.mark.parametrize("facts", ALL.values(), ids=ALL)
def test_who_answers_in_a_measured_room_starts_no_console_there_for_anybody_who_asks(facts):
    [deployment] = said(facts)["base/serving.yaml"]
    assert "--no-console" in deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    [whole] = said(facts, compose.files)["compose.yaml"]
    assert "--no-console" in " ".join(whole["services"]["serving"]["command"])


def test_a_file_called_as_shells_do_not_like_it_is_a_file_to_the_builder_too():
    odd = replace(BAKED, baked=replace(BAKED.baked, file="demand@3 (2) $(id).everloop"))
    assert "everloop bake '/build/demand@3 (2) $(id).everloop' --model" in folder.files(odd, "deploy")["Dockerfile"]


def test_learning_by_the_calendar_waits_for_somebody_unless_it_was_said_when():
    [waits], [nightly] = said(SHARED)["base/retrain.yaml"], said(DRAINS)["base/retrain.yaml"]
    assert (waits["spec"]["suspend"], nightly["spec"]["suspend"]) == (True, False)
    assert nightly["spec"]["schedule"] == "0 3 * * *"
    for cron in (waits, nightly):
        assert cron["spec"]["concurrencyPolicy"] == "Forbid"
        work = cron["spec"]["jobTemplate"]["spec"]
        assert work["template"]["spec"]["restartPolicy"] == "Never"
        assert work["template"]["spec"]["containers"][0]["args"][:2] == ["turn", "--retrain"]
    assert "--from=cronjob/demand-retrain" in folder.files(SHARED, "deploy")["README.md"]


def test_a_baked_house_by_compose_is_unpacked_anew_so_that_another_image_is_another_version():
    [whole] = said(BAKED, compose.files)["compose.yaml"]
    assert "volumes" not in whole
    assert "/house" in whole["services"]["serving"]["tmpfs"]
