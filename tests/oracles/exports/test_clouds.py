"""The files for clouds, judged by others: python-hcl2 parses the Terraform, AWS's provider knows every word, cfn-lint finds nothing in the
templates, and systemd and cloud-init take what makes a machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from bench.peers import apart, environment

from everloop.connect.cloud.needs import lying

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
PROVIDER = json.loads((HERE / "aws_provider.json").read_text("utf-8"))
META = {"count", "for_each", "depends_on", "lifecycle", "dynamic", "__is_block__", "__comments__", "__inline_comments__"}
REFERENCE = re.compile(r"(?<![\w.\"/-])(data\.)?(aws_\w+|random_\w+|archive_\w+)\.(\w+)(?:\[[^\]]*\])?(?:\.(\w+))?")
APT = {"DEBIAN_FRONTEND": "noninteractive"}


def parsed(folder):
    """The files of a module, by what python-hcl2 says is in them."""
    command = [environment("clouds"), HERE / "in_hcl.py", *sorted(folder.glob("*.tf"))]
    done = subprocess.run(command, capture_output=True, text=True, env=apart(), timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def module(kind, folder, change=lambda name, text: text):
    folder.mkdir(exist_ok=True)
    for name, text in lying(kind).items():
        (folder / name).write_text(change(name, text))
    return parsed(folder)


def blocks(files, kind):
    """Every block of a kind: its type, its name, and what is in it."""
    for said in files.values():
        for one in said.get(kind, []):
            for named, inner in one.items():
                if kind in ("resource", "data", "ephemeral"):
                    for name, body in inner.items():
                        yield named.strip('"'), name.strip('"'), body
                else:
                    yield kind, named.strip('"'), inner


def expressions(value):
    """Every text in what was parsed."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            if not key.startswith("__"):
                yield from expressions(one)
    elif isinstance(value, list):
        for one in value:
            yield from expressions(one)


def inner_names(body):
    """The attributes and blocks of a block, and those of blocks in it."""
    for key, one in body.items():
        if key in META:
            if key == "dynamic":
                for inner in one:
                    for name, said in inner.items():
                        yield name.strip('"')
                        yield from (found for content in said["content"] for found in inner_names(content))
            continue
        yield key
        for said in one if isinstance(one, list) else []:
            if isinstance(said, dict) and "__is_block__" in said:
                yield from inner_names(said)


def wrong(files):
    """What nobody knows: attributes and blocks the provider does not have, those it must have, and references to nothing."""
    found = []
    declared = {f"{kind}.{name}" for kind, name, _ in blocks(files, "resource")} | {
        f"data.{kind}.{name}" for kind, name, _ in blocks(files, "data")
    }
    declared |= {f"{kind}.{name}" for kind, name, _ in blocks(files, "ephemeral")}
    variables = {name for _, name, _ in blocks(files, "variable")}
    locals_ = {key for said in files.values() for one in said.get("locals", []) for key in one}
    for kind in ("resource", "data"):
        for named, name, body in blocks(files, kind):
            if not named.startswith("aws_"):
                continue
            known = PROVIDER[f"{kind} {named}"]
            found += [f"{named}.{name} has no {one}" for one in inner_names(body) if one not in known["names"]]
            there = set(inner_names(body))
            found += [f"{named}.{name} needs {one}" for one in known["required"] if one not in there]
    for text in expressions(files):
        found += [f"var.{one} is not declared" for one in re.findall(r"\bvar\.(\w+)", text) if one not in variables]
        found += [f"local.{one} is not said" for one in re.findall(r"\blocal\.(\w+)", text) if one not in locals_]
        for data, named, name, told in REFERENCE.findall(text) if "${" in text else []:
            if f"{data}{named}.{name}" not in declared:
                found.append(f"there is no {data}{named}.{name}")
            elif told and named.startswith("aws_"):
                known = PROVIDER.get(f"{'data' if data else 'resource'} {named}")
                if known and told not in {*known["names"], *known["tells"]}:
                    found.append(f"{named} tells no {told}")
    return sorted(set(found))


@pytest.mark.parametrize("kind", ["ecs", "machine"])
def test_every_word_of_a_module_is_one_the_provider_has_and_every_reference_leads_somewhere(kind, tmp_path):
    assert wrong(module(kind, tmp_path / "module")) == []


@pytest.mark.parametrize(
    ("file", "was", "mistyped", "told"),
    [
        ("stores.tf", "multi_az  ", "multi_zone", "aws_db_instance.house has no multi_zone"),
        ("balancer.tf", "unhealthy_threshold = 2", "unhealthy_treshold = 2", "aws_lb_target_group.house has no unhealthy_treshold"),
        ("services.tf", "aws_lb_target_group.house.arn", "aws_lb_target_group.home.arn", "there is no aws_lb_target_group.home"),
        ("services.tf", "var.working.count", "var.works.count", "var.works is not declared"),
        ("outputs.tf", "aws_lb.house.dns_name", "aws_lb.house.dns", "aws_lb tells no dns"),
        ("stores.tf", '  status = "Enabled"', "", None),
        ("network.tf", '  ip_protocol                  = "tcp"', "", "aws_vpc_security_group_egress_rule.handed_on needs ip_protocol"),
    ],
)
def test_a_word_mistyped_is_noticed(file, was, mistyped, told, tmp_path):
    def change(name, text):
        if name == file:
            assert was in text
            return text.replace(was, mistyped)
        return text

    found = wrong(module("ecs", tmp_path / "module", change))
    assert told is None or told in found


def test_no_role_may_more_than_is_named_and_no_secret_is_in_a_state(tmp_path):
    for kind in ("ecs", "machine"):
        files = module(kind, tmp_path / kind)
        for _, name, body in blocks(files, "data"):
            for statement in body.get("statement", []):
                denies = statement.get("effect") == '"Deny"'
                assert denies or not any("*" in action for action in statement["actions"]), name
                for resource in [] if denies else statement.get("resources", []):
                    assert resource not in ('"*"', "*"), name
        for named, name, body in blocks(files, "resource"):
            assert not {"password", "auth_token", "secret_string"} & set(inner_names(body)), f"{named}.{name}"
        for said in expressions([body for _, _, body in blocks(files, "variable")]):
            assert "password" not in said.lower()


def test_aws_finds_nothing_wrong_with_the_template_and_something_with_a_wrong_one(tmp_path):
    def linted(text):
        file = tmp_path / "template.yaml"
        file.write_text(text)
        command = [environment("clouds").parent / "cfn-lint", "--regions", "eu-central-1", "--", str(file)]
        return subprocess.run(command, capture_output=True, text=True, env=apart(), timeout=300, check=False)

    for name in ("shop.yaml", "template.yaml"):
        text = lying("aws_lambda")[name]
        done = linted(text)
        assert done.returncode == 0, done.stdout
    assert "E3002" in linted(text.replace("MemorySize: !Ref", "Memory: !Ref")).stdout
    assert (
        "E1020" in linted(text.replace("!Ref AccessPointArn", "!Ref AccessPoint")).stdout
        or "E1020" in linted(text.replace("!Ref AccessPointArn", "!Ref AccessPoint")).stdout
    )


def made(tmp_path):
    """What cloud-init gets on the machine: the file with Terraform's words put in."""
    said = {"bucket": "b", "key": "k.zip", "region": "eu-central-1", "name": "shop", "secrets": "SLACK_TOKEN", "backups": "s3://b/h"}
    said |= {"flags": "--project /srv/everloop/project", "port": "8321", "disk": "vol0", "units": "everloop.service, everloop-backup.timer"}
    text = lying("machine")["cloud-init.yaml"].replace("${drain + 30}", "45")
    text = re.sub(r"\$\{(\w+)\}", lambda match: said[match[1]], text)
    file = tmp_path / "cloud-init.yaml"
    file.write_text(text)
    return file


def apt(*packages):
    """Debian's own packages, where they are not there."""
    if shutil.which("apt-get") is None:
        pytest.skip("no apt-get on this machine")
    subprocess.run(["apt-get", "update", "-qq"], check=True, capture_output=True, env=os.environ | APT)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    subprocess.run(install, check=True, capture_output=True, env=os.environ | APT)


def test_the_units_of_a_machine_are_what_systemd_reads(tmp_path):
    import yaml

    if shutil.which("systemd-analyze") is None:
        apt("systemd")
    said = yaml.safe_load(made(tmp_path).read_text())
    units = tmp_path / "units"
    units.mkdir()
    for file in said["write_files"]:
        if file["path"].startswith("/etc/systemd"):
            body = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", file["content"])
            (units / Path(file["path"]).name).write_text(re.sub(r"(?m)^RequiresMountsFor=.*\n", "", body))

    def verified():
        command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, sorted(units.iterdir()))]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"SYSTEMD_UNIT_PATH": f"{units}:"}
        )

    assert len(list(units.iterdir())) == 5
    done = verified()
    assert (done.returncode, [line for line in done.stderr.splitlines() if str(units) in line]) == (0, []), done.stderr
    unit = units / "everloop.service"
    unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMode=mixt").replace("Restart=always", "Restarts=always"))
    told = verified().stderr
    assert "Restarts" in told
    assert "mixt" in told


def test_what_makes_a_machine_is_a_cloud_config_and_its_scripts_are_shell(tmp_path):
    import yaml

    if shutil.which("cloud-init") is None:
        Path("/etc/cloud").mkdir(exist_ok=True)
        Path("/etc/cloud/cloud-init.disabled").touch()  # it is to read a file, and not to set up this machine
        apt("cloud-init")
    file = made(tmp_path)

    def checked():
        return subprocess.run(
            ["cloud-init", "schema", "--config-file", str(file)], capture_output=True, text=True, timeout=120, check=False
        )

    done = checked()
    assert done.returncode == 0, done.stdout + done.stderr
    said = yaml.safe_load(file.read_text())
    scripts = [one for one in said["runcmd"] if isinstance(one, str)]
    scripts += [one["content"] for one in said["write_files"] if one["content"].startswith("#!")]
    for script in [*scripts, *(text for name, text in lying("ecs").items() if name.endswith(".sh"))]:
        assert subprocess.run(["/bin/sh", "-n"], input=script, text=True, capture_output=True, check=False).returncode == 0, script
    file.write_text(file.read_text().replace("permissions: ", "permission: "))
    assert checked().returncode != 0
