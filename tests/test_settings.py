"""Where things are: one file, its stages, the environment, flags; and every mistake of it told at once."""

import re
import subprocess
import sys
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from everloop.errors import EverloopError, SettingsError, Unknown
from everloop.settings import ENVIRONMENT, LEVELS, Address, Settings, SourceFiles, read_settings, span
from everloop.settings.read import KEYS

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
WHOLE = """
house = "the house"
lake = "lake"
autonomy = "suggest"

[sources]
houses = "data/sold.parquet"
orders = ["data/a.csv", "/elsewhere/b.csv"]
lines = { files = "data/lines-*.csv", known_after = "1h" }

[people]
payments-risk = "slack://${SLACK_TOKEN}"

[prices]
cpu_hour = 0.05

[training]
max_questions = 5000

[prod]
lake = "s3://shop/lake"
registry = "postgresql://u:${PG_PASSWORD}@db/house"
autonomy = "observe"

[prod.training]
child = false

[prod.people]
ops = "mailto://ops"
"""
SECRETS = {"SLACK_TOKEN": "xoxb", "PG_PASSWORD": "hush"}


@pytest.fixture
def project(tmp_path):
    def write(text=WHOLE):
        (tmp_path / "everloop.toml").write_text(text)
        return tmp_path

    return write


def read(folder, *, environ=SECRETS, **words):
    return read_settings(folder, environ=environ, **words)


def test_nothing_said_is_fine(tmp_path):
    found = read(tmp_path, environ={})
    assert found.house == tmp_path / ".everloop"
    assert found.lake == str(tmp_path / ".everloop" / "lake")
    assert found.registry == f"sqlite:///{tmp_path}/.everloop/house.db"
    assert found.events == f"sqlite:///{tmp_path}/.everloop/events.db"
    assert (found.autonomy, found.pickle, found.child, found.stage) == ("act", False, True, None)
    assert Path(found.blobs).parent == found.answers.parent == found.house
    assert not found.house.exists(), "reading settings makes nothing"


def test_a_file_is_read_and_its_paths_start_where_it_is(project):
    folder = project()
    found = read(folder)
    assert found.house == folder / "the house"
    assert found.lake == str(folder / "lake")
    assert found.registry == f"sqlite:///{folder}/the house/house.db"
    assert found.sources == {
        "houses": SourceFiles((f"{folder}/data/sold.parquet",)),
        "orders": SourceFiles((f"{folder}/data/a.csv", "/elsewhere/b.csv")),
        "lines": SourceFiles((f"{folder}/data/lines-*.csv",), timedelta(hours=1)),
    }
    assert found.people == {"payments-risk": (Address("slack://xoxb"),)}
    assert (found.autonomy, found.max_questions, found.prices) == ("suggest", 5000, {"cpu_hour": 0.05})


def test_a_stage_lies_over_the_file(project):
    found = read(project(), stage="prod")
    assert found.lake == "s3://shop/lake"
    assert found.registry == "postgresql://u:hush@db/house"
    assert (found.autonomy, found.child, found.max_questions, found.stage) == ("observe", False, 5000, "prod")
    assert set(found.people) == {"payments-risk", "ops"}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (
            '"json://a, mailto://b?to=x@y.z,u@v.w slack://c"',
            (Address("json://a"), Address("mailto://b?to=x@y.z,u@v.w"), Address("slack://c")),
        ),
        ('["json://a", { to = "json://b", from = "critical" }]', (Address("json://a"), Address("json://b", "critical"))),
        ('{ to = "json://a json://b", from = "warning" }', (Address("json://a", "warning"), Address("json://b", "warning"))),
        ('"json://a json://a"', (Address("json://a"),)),
        ('"slack://${SLACK_TOKEN}"', (Address("slack://xoxb"),)),
    ],
)
def test_a_person_has_one_address_or_several(project, said, found):
    assert read(project(f"[people]\nada = {said}")).people == {"ada": found}


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ('["slack://hush", 3]', "a list of such texts"),
        ("[]", "reaches nobody"),
        ('{ to = "slack://hush", from = "loud" }', "info, warning or critical"),
        ('{ to = "slack://hush", form = "warning" }', "from = "),
        ('{ url = "slack://hush" }', "to = "),
    ],
)
def test_a_person_who_cannot_be_meant_is_told_without_the_token(project, said, cure):
    with pytest.raises(SettingsError, match=cure) as told:
        read(project(f"[people]\nada = {said}"))
    assert "people.ada" in str(told.value)
    assert "hush" not in str(told.value)


def test_what_is_known_now_is_kept_with_the_events_or_on_redis(project):
    assert read(project()).online is None
    text = '[online]\nurl = "redis://:${SLACK_TOKEN}@a:1/0"\n[prod.online]\nurl = "rediss://b"'
    assert read(project(text)).online == "redis://:xoxb@a:1/0"
    assert read(project(text), stage="prod").online == "rediss://b"
    assert "xoxb" not in repr(read(project(text)))


@pytest.mark.parametrize("said", ["'http://u:hush@a'", "'u:hush@a:6379'", "3", "''", "['redis://:hush@a']"])
def test_what_is_no_address_of_redis_is_told_without_the_password(project, said):
    with pytest.raises(SettingsError, match=r"everloop.toml: online.url: say .redis://host:6379/0.") as told:
        read(project(f"[online]\nurl = {said}"))
    assert "hush" not in str(told.value)


def test_flags_beat_the_environment_which_beats_the_stage(project):
    environ = SECRETS | {"EVERLOOP_STAGE": "prod", "EVERLOOP_LAKE": "from the environment", "EVERLOOP_AUTONOMY": "act"}
    found = read(project(), environ=environ)
    assert (found.stage, Path(found.lake).name, found.autonomy) == ("prod", "from the environment", "act")
    assert Path(read(project(), environ=environ, lake="from a flag").lake).name == "from a flag"
    assert read(project(), environ=SECRETS | {"EVERLOOP_HOUSE": ""}).house.name == "the house"


def test_a_flag_for_the_house_moves_what_is_in_it(project, tmp_path):
    found = read(project(""), house=tmp_path / "other")
    assert found.registry == f"sqlite:///{tmp_path}/other/house.db"


def test_a_stage_nobody_wrote_is_unknown(project):
    with pytest.raises(Unknown, match=r"no stage 'staging' in everloop.toml. There is prod. Write a table \[staging\]"):
        read(project(), stage="staging")


def test_secrets_come_from_the_environment_and_are_not_shown(project):
    assert "hush" not in repr(read(project(), stage="prod"))
    assert "xoxb" not in repr(read(project()))
    with pytest.raises(SettingsError, match="registry needs the environment variable PG_PASSWORD"):
        read(project(), stage="prod", environ={"SLACK_TOKEN": ""})
    assert read(project(), environ={"SLACK_TOKEN": ""}).stage is None  # another stage's secrets are not asked for


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('hose = "x"', "no setting hose; did you mean house?"),
        ("[source]\norders = 'x'", "no setting source; did you mean sources?"),
        ("[training]\nmax_question = 3", "no setting training.max_question; did you mean max_questions?"),
        ("[prod]\nlakee = 'x'", "no setting prod.lakee; did you mean lake?"),
        ("[prod.artefacts]\npickel = true", "no setting prod.artefacts.pickel; did you mean pickle?"),
        ("[prod.deep]\nx = 1", "no setting prod.deep."),
        ("zebra = 1", "no setting zebra."),
        ("house = 3", "house must be text, not 3."),
        ("house = ' '", "house must be text"),
        ("autonomy = 'full'", "autonomy must be observe, suggest or act, not 'full'."),
        ("[artefacts]\npickle = 'yes'", "artefacts.pickle must be true or false, not 'yes'."),
        ("[training]\nmax_questions = 0", "training.max_questions must be a whole number above 0"),
        ("[training]\nmax_questions = true", "training.max_questions must be a whole number above 0"),
        ("training = 3", "training must be a table, not 3."),
        ("[governor]\ncooldown = 6", 'governor.cooldown must be a span in quotes such as "6h" or "2d", not 6.'),
        ("[governor]\ncooldown = 'soon'", "governor.cooldown: 'soon' is no span"),
        ("[governor]\nruns_a_day = 0", "governor.runs_a_day must be a whole number above 0, not 0."),
        ("[governor]\nfailures = 1.5", "governor.failures must be a whole number above 0, not 1.5."),
        ("[governor]\nmoney_a_day = -1", "governor.money_a_day must be a number, 0 or more, not -1."),
        ("[governor]\nmoney_a_day = 1.0", "governor.money_a_day is a limit on nothing: nothing has a price. Say one: [prices] cpu_hour"),
        ("[governor]\nmoney_a_week = 1.0\n[prices]\ncpu_hour = 0", "governor.money_a_week is a limit on nothing"),
        ("[governor]\nrun_a_day = 1", "no setting governor.run_a_day; did you mean runs_a_day?"),
        ("governor = 4", "governor must be a table, not 4."),
        ("[prices]\ncpu_hour = nan", "prices.cpu_hour must be a number, 0 or more"),
        ("[sources]\norders = []", "sources.orders must be a file, a list of files"),
        ("[sources]\norders = [1]", "sources.orders must be a file, a list of files"),
        ("[sources]\norders = { file = 'x' }", "sources.orders knows no 'file'; did you mean files?"),
        ("[sources]\norders = { files = 'x', known_after = 0 }", "known_after must be a span in quotes"),
        ("[sources]\norders = { files = 'x', known_after = 'soon' }", "'soon' is no span"),
    ],
)
def test_a_mistake_is_told_with_its_cure(project, text, told):
    with pytest.raises(SettingsError, match=re.escape(told)):
        read(project(text))


def test_all_mistakes_are_told_at_once_also_those_of_other_stages(project):
    with pytest.raises(SettingsError) as refused:
        read(project("hose = 1\nautonomy = 'x'\n[dev]\nlakes = 'x'\n[training]\nchild = 1"), autonomy="boss")
    assert str(refused.value).startswith("5 mistakes")
    assert "--autonomy must be" in str(refused.value)


def test_a_wrong_flag_is_called_a_flag_and_a_wrong_variable_a_variable(project):
    with pytest.raises(SettingsError, match="EVERLOOP_AUTONOMY must be observe"):
        read(project(""), environ={"EVERLOOP_AUTONOMY": "boss"})


@pytest.mark.parametrize(
    ("content", "told"), [(b"house = ", "is no TOML"), (b"\xff\xfe", "cannot be read"), (b"a = 1\na = 2", "is no TOML")]
)
def test_a_file_that_cannot_be_read_is_said(project, content, told):
    folder = project()
    (folder / "everloop.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=told):
        read(folder)


def test_a_variable_with_a_typing_error_is_not_silently_ignored(tmp_path):
    with pytest.raises(SettingsError, match="EVERLOOP_REGISTRI means nothing; did you mean EVERLOOP_REGISTRY"):
        read(tmp_path, environ={"EVERLOOP_REGISTRI": "x"})
    assert read(tmp_path, environ={"EVERLOOP_SECRET_TOKEN": "x"})


def test_autonomy_is_a_ceiling(tmp_path):
    found = read(tmp_path, autonomy="suggest")
    assert [found.at_most(level) for level in LEVELS] == ["observe", "suggest", "suggest"]


def test_source_files_are_found(tmp_path):
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).write_text("")
    assert [p.name for p in SourceFiles((f"{tmp_path}/*.csv", f"{tmp_path}/c.txt")).paths()] == ["a.csv", "b.csv", "c.txt"]
    for missing in ("d.csv", "*.parquet"):
        with pytest.raises(SettingsError, match="There is no file"):
            SourceFiles((f"{tmp_path}/{missing}",)).paths()


@pytest.mark.parametrize("text", ["", "1", "-1h", "h", "1w", "1e9d", "9999999999d", "1h 2m"])
def test_what_is_no_span_is_said_to_be_none(text):
    with pytest.raises(EverloopError, match="is no span"):
        span(text)


def test_spans_are_read():
    assert [span(t) for t in ("0", "90s", "1.5h", "2d", " 10m ")] == [
        timedelta(0), timedelta(seconds=90), timedelta(hours=1.5), timedelta(days=2), timedelta(minutes=10),
    ]  # fmt: skip


def test_settings_cost_next_to_nothing_to_import():
    script = "import sys, everloop.settings, everloop.clock; sys.exit(any(m in sys.modules for m in ('numpy', 'sqlalchemy', 'msgspec')))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_there_are_few_variables_and_each_is_a_setting():
    assert len(ENVIRONMENT) <= 8
    assert {name.removeprefix("EVERLOOP_").lower() for name in ENVIRONMENT} <= {f.name for f in fields(Settings)}


def test_the_page_speaks_of_every_setting_and_variable():
    page = PAGE.read_text()
    inner = [key for rule in KEYS.values() if isinstance(rule, dict) for key in rule if key != "*"]
    for word in [*KEYS, *inner, *ENVIRONMENT, *LEVELS]:
        assert f"`{word}`" in page or f"{word} =" in page or f"[{word}]" in page, word


def test_a_house_has_names_for_its_champion_and_its_candidate(project):
    assert read(project("")).aliases == {"champion": "champion", "candidate": "candidate", "production": "champion", "staging": "candidate"}
    folder = project('[staging.aliases]\nstaging = "champion"\n[prod.aliases]\nlive = "champion"\n')
    assert read(folder, stage="staging").aliases == {"staging": "champion"}
    assert read(folder, stage="prod").aliases == {"live": "champion"}


@pytest.mark.parametrize("name", ["3", "v3", "latest", "newest", "challenger", "two words"])
def test_a_name_that_means_something_else_is_refused(project, name):
    with pytest.raises(SettingsError, match="cannot be a name"):
        read(project(f'[aliases]\n"{name}" = "champion"\n'))
    with pytest.raises(SettingsError, match="must be champion or candidate"):
        read(project('[aliases]\nlive = "challenger"\n'))


def test_a_stage_is_called_as_files_of_others_can_say_it(tmp_path):
    (tmp_path / "everloop.toml").write_text('[a]\n["a b"]\n["$(id)"]\n')
    with pytest.raises(SettingsError, match="2 mistakes") as refused:
        read_settings(tmp_path, environ={})
    assert "cannot be called 'a b'" in str(refused.value)
    assert "cannot be called '$(id)'" in str(refused.value)
