"""docs/terminal.md against the terminal: every command and option stands there and no other, and asking for help loads nothing heavy."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import typer
from everloop_pages import blocks, code, pages, read, rows
from typer.testing import CliRunner

from everloop.cli import app

PAGE = read("docs/terminal.md")
HEAVY = ("numpy", "scipy", "pyarrow", "duckdb", "deltalake", "sqlalchemy", "sklearn", "skops", "pandas", "lightgbm", "msgspec")


def commands() -> dict[str, list[list[str]]]:
    """Each command of the terminal with its options, each by all its names."""
    group = typer.main.get_command(app)
    return {
        name: [[*p.opts, *p.secondary_opts] for c in verbs(command) for p in c.params if p.param_type_name == "option"]
        for name, command in group.commands.items()  # type: ignore[attr-defined]
    }


def verbs(command):
    """The command itself, or what a group of commands holds."""
    return list(getattr(command, "commands", {}).values()) or [command]


def options_in(text: str) -> set[str]:
    return {option for said in code(text) for option in re.findall(r"(?<![\w-])-{1,2}[a-z][a-z-]*", said)}


def undocumented(page: str) -> list[str]:
    """What the terminal knows and the page does not say, and what the page says and the terminal does not know."""
    told: dict[str, str] = {}  # a command may have a line for each of its verbs
    for row in rows(page):
        for name in re.findall(r"everloop ([a-z]+)", row[0]):
            told[name] = f"{told.get(name, '')}\n{row[0]}"
    general = options_in("\n".join(line for line in page.splitlines() if not line.startswith("|")))
    there = commands()
    wrong = [f"no line for {name}" for name in there if name not in told]
    wrong += [f"there is no command {name}" for name in told if name not in there]
    for name in told.keys() & there.keys():
        here, known = options_in(told[name]), {option for names in there[name] for option in names}
        shared = {option for other in re.findall(r"everloop ([a-z]+)", told[name]) for names in there[other] for option in names}
        wrong += [f"{name} has no {option}" for option in sorted(here - shared)]
        wrong += [f"{name}: {option} is not said" for option in sorted(known - here - general)]
    return sorted(wrong + [f"no command has {o}" for o in general - {"--help"} - {o for c in there.values() for names in c for o in names}])


def test_every_command_and_option_stands_on_the_page_and_no_other():
    assert undocumented(PAGE) == []


@pytest.mark.parametrize(
    ("was", "broken", "told"),
    [
        ("everloop undo MODEL", "everloop redo MODEL", ["no line for undo", "there is no command redo"]),
        (" [--retrain]", "", ["turn: --retrain is not said"]),
        ("[--retrain]", "[--retrain] [--fast]", ["turn has no --fast"]),
        ("`--json`", "`--yaml`", ["no command has --yaml", "turn: --json is not said"]),
    ],
)
def test_a_page_that_tells_of_other_commands_is_noticed(was, broken, told):
    assert was in PAGE
    assert set(told) <= set(undocumented(PAGE.replace(was, broken)))


def test_what_holds_for_every_command_that_opens_a_house_holds():
    for name, options in commands().items():
        known = {option for names in options for option in names}
        if "--house" in known:
            assert {"--project", "-p", "--stage"} <= known, name
        assert name in ("init", "explain", "demo") or "--house" in known, name


def test_help_lists_every_command_with_a_sentence():
    told = CliRunner().invoke(app, ["--help"])
    assert told.exit_code == 0
    for name in commands():
        assert re.search(rf"^\W*{name} +\w", told.output, re.MULTILINE), name


@pytest.mark.parametrize("name", commands())
def test_every_command_explains_itself_and_its_options(name):
    for command in verbs(typer.main.get_command(app).commands[name]):  # type: ignore[attr-defined]
        words = [name] if command.name == name else [name, command.name]
        told = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
        assert told.exit_code == 0
        for param in command.params:
            assert param.param_type_name != "option" or param.opts[0] in told.output
        assert all(getattr(p, "help", None) for p in command.params if p.name != "help"), f"{words} has a word without a help text"


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.name)
def test_every_command_a_page_tells_people_to_type_is_one(page):
    text = page.read_text(encoding="utf-8")
    typed = code(text) + [line for block in blocks(text) if block.language in ("console", "sh", "bash") for line in block.text.splitlines()]
    there = commands()
    for line in typed:
        for name, rest in re.findall(r"(?:^|[$&;|] ?)everloop ([a-z]+)([^&;|]*)", line.strip()):
            assert name in there, f"{page.name}: everloop {name}"
            known = {option for names in there[name] for option in names} | {"--help"}
            assert set(re.findall(r"(?<!\S)\[?(--[a-z-]+)", rest)) <= known, f"{page.name}: {line}"


def heavy_after(script: str) -> set[str]:
    script += f"\nimport sys; print('loaded', *(set({HEAVY!r}) & {{name.split('.')[0] for name in sys.modules}}))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return set(out.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("words", [["--help"], ["turn", "--help"], ["demo", "--help"]])
def test_the_terminal_answers_for_help_without_loading_anything_heavy(words):
    asks = (
        f"from typer.testing import CliRunner; import everloop.cli; assert CliRunner().invoke(everloop.cli.app, {words!r}).exit_code == 0"
    )
    assert heavy_after(asks) == set()
    assert heavy_after(asks + "\nimport numpy") == {"numpy"}, "what is loaded would be noticed"
