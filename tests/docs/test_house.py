"""The pages at the top against the tree: what they name exists, what exists is named, and no file speaks of one machine."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from everloop_pages import PACKAGE, ROOT, blocks, code, pages, read, rows, section

MODULE = re.compile(r"everloop(\.(?!toml\b)[a-z_]+)+")
PROJECT = tomllib.loads(read("pyproject.toml"))["project"]


# -- files that are named ----------------------------------------------------------------------------------------------------------


def missing_files(text: str, root: Path = ROOT) -> list[str]:
    """The files, folders and modules a text names between backticks that do not exist."""
    dead = []
    for word in code(text):
        if re.fullmatch(r"[\w./]+(?:\.py|\.md|\.toml|/)", word) and "/" in word.rstrip("/"):
            if not any((folder / word).exists() for folder in (root, root / "src" / "everloop", root / "docs")):
                dead.append(word)
        elif MODULE.fullmatch(word) and not module_exists(word, root):
            dead.append(word)
    return dead


def module_exists(name: str, root: Path) -> bool:
    path = root / "src" / Path(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def test_the_table_of_what_to_open_names_only_files_that_exist():
    table = [row[1] for row in rows(section(read("CONTRIBUTING.md"), "I want to"))]
    assert len(table) >= 10
    assert missing_files("\n".join(table)) == []


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.name)
def test_every_file_a_page_names_exists(page):
    outside = re.compile(r"\.everloop|`(?:lake|answers|blobs|data)/`|house folder")
    kept = "\n".join(line for line in page.read_text(encoding="utf-8").splitlines() if not outside.search(line))
    assert missing_files(kept) == []


def test_a_table_that_names_a_file_there_is_not_is_noticed():
    text = read("CONTRIBUTING.md").replace("`stats/measures.py`", "`stats/yardsticks.py`").replace("`loop/decide.py`", "`loop/dither.py`")
    assert {"stats/yardsticks.py", "loop/dither.py"} <= set(missing_files(text))
    assert missing_files("see `everloop.testing.nothing` and `everloop.testing.registry`") == ["everloop.testing.nothing"]


def test_the_modules_named_can_be_imported():
    named = {word for page in pages() for word in code(page.read_text(encoding="utf-8")) if MODULE.fullmatch(word)}
    assert "everloop.features.compile" in named
    for name in named:
        assert import_module(name).__doc__, name


# -- the trees ---------------------------------------------------------------------------------------------------------------------


def in_tree(text: str) -> set[str]:
    """What the drawing of src/everloop/ names at its first level."""
    (tree,) = [block.text for block in blocks(text) if block.text.startswith("src/everloop/\n")]
    lines = [line for line in tree.splitlines()[1:] if line.startswith("    ")]
    return {name for line in lines for name in re.findall(r"(?:^|\s) {3,}([a-z_]+(?:\.py|/))(?=\s)", line)}


def modules(package: Path = PACKAGE) -> set[str]:
    """The top-level modules there are: files, and folders with Python in them."""
    files = {file.name for file in package.glob("*.py") if file.name not in ("__init__.py", "__main__.py")}
    return files | {f"{folder.name}/" for folder in package.iterdir() if folder.is_dir() and any(folder.glob("*.py"))}


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md"])
def test_the_tree_names_every_module_and_nothing_else(page):
    assert in_tree(read(page)) == modules()


def test_a_tree_with_a_line_too_few_or_too_many_is_noticed():
    text = read("README.md")
    assert in_tree(re.sub(r"\n    lake/.*", "", text)) == in_tree(text) - {"lake/"}
    assert in_tree(text.replace("\n    lake/", "\n    pond/     more\n    lake/")) == in_tree(text) | {"pond/"}


def test_the_tree_of_tests_names_folders_there_are():
    (tree,) = [block.text for block in blocks(read("CONTRIBUTING.md")) if block.text.startswith("tests/")]
    folders = re.findall(r"^([a-z]+/[a-z]*/?)\s", tree, re.MULTILINE)
    assert "tests/ring/" in folders
    for folder in folders:
        assert any((ROOT / folder).glob("*.py")), folder


# -- libraries ---------------------------------------------------------------------------------------------------------------------


def required() -> set[str]:
    """Every dependency, and every extra as ``everloop[extra]``, with the libraries it brings."""
    extras = PROJECT["optional-dependencies"]
    named = [*PROJECT["dependencies"], *(r for requirements in extras.values() for r in requirements)]
    return {re.match(r"[\w.-]+", r)[0].lower() for r in named} | {f"everloop[{extra}]" for extra in extras}  # type: ignore[index]


def not_reasoned(page: str) -> set[str]:
    """The dependencies without a line in the table of libraries."""
    table = "\n".join(" | ".join(row) for row in rows(section(page, "Libraries, and why"))).lower()
    return {name for name in required() if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", table)}


def test_every_dependency_and_extra_has_its_reason():
    assert not_reasoned(read("ARCHITECTURE.md")) == set()


def test_a_dependency_without_a_reason_is_noticed():
    page = read("ARCHITECTURE.md")
    assert "skops" in not_reasoned(re.sub(r"\n\| artefacts .*", "", page))


def test_every_extra_a_page_names_is_one():
    named = {(extra, page.name) for page in pages() for extra in re.findall(r"everloop\[([\w-]+)\]", page.read_text(encoding="utf-8"))}
    assert {"postgres", "shopify"} <= {extra for extra, _ in named}
    for extra, page in named:
        assert extra in PROJECT["optional-dependencies"], f"{page}: everloop[{extra}]"


LOCKED = sorted((ROOT / "requirements").glob("*.txt"))


def unpinned(text: str) -> list[str]:
    """Lines that pin nothing, pins without a hash, and whatever says where to fetch from."""
    wrong = [line for line in text.splitlines() if "://" in line or re.match(r"\s*-{1,2}(?!hash=sha256:)\w", line)]
    for entry in re.sub(r"\\\n\s*", " ", text).splitlines():
        pinned = re.match(r"[A-Za-z0-9][\w.-]*(?:\[[\w,]+\])?==\S+", entry)
        if entry.strip() and not entry.lstrip().startswith("#") and not (pinned and re.search(r"--hash=sha256:[0-9a-f]{64}", entry)):
            wrong.append(entry)
    return wrong


@pytest.mark.parametrize("file", LOCKED, ids=lambda path: path.name)
def test_requirements_are_pinned_by_hash_and_name_no_place(file):
    text = file.read_text(encoding="utf-8")
    assert "--hash=sha256:" in text
    assert unpinned(text) == []


def test_every_requirements_file_the_makefile_uses_is_there():
    assert {path.stem for path in LOCKED} >= set(re.findall(r"\$\(STAMP\)-(\w+)", read("Makefile")))


@pytest.mark.parametrize(
    "line", ["rich==14.0", "rich>=14 --hash=sha256:" + "0" * 64, "--index-url https" + "://example.org/simple", "-e ."]
)
def test_a_requirement_without_pin_or_hash_is_noticed(line):
    assert unpinned(LOCKED[0].read_text(encoding="utf-8") + line + "\n") != []


# -- what the pages say of demo and bench ------------------------------------------------------------------------------------------


def goals(folder: Path = ROOT / "bench") -> set[str]:
    """The names of the goals the benches state."""
    found = set()
    for file in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("at_most", "at_least") and len(node.args) > 3:
                name = node.args[0]
                assert isinstance(name, ast.Constant), (
                    f"{file.name}:{node.lineno}: a goal's name is a plain text, so that the page can say it"
                )
                found.add(str(name.value))
    return found


def test_every_goal_of_the_benches_has_a_line_and_no_other():
    assert {row[0] for row in rows(read("docs/bench.md"))} == goals()


def test_the_page_of_the_benches_names_every_bench():
    names = ast.literal_eval(re.search(r"^NAMES = (\(.*\))$", read("bench/__main__.py"), re.MULTILINE)[1])  # type: ignore[index]
    for name in names:
        assert f"`{name}`" in read("docs/bench.md")
        assert (ROOT / "bench" / f"{name}.py").exists()


def test_the_demo_is_told_in_eight_chapters():
    assert len(re.findall(r"^## [1-8]\. ", read("docs/demo.md"), re.MULTILINE)) == 8


# -- no file speaks of one machine -------------------------------------------------------------------------------------------------

# Spelled so that this file does not find itself.
PRIVATE = {
    # But for those inside of the images and machines that exports describe.
    "a path of one machine": r"(?<![\w.:$}{/~-])/(?:wor[k]|roo[t]|hom[e]|User[s]|mn[t](?!/everloop)|op[t](?!/(?:venv|everloop|ml/))|"
    r"wor[k]spaces?)/[\w.]",
    "a package registry": r"p[y]pi\.(?:org|python)|python[h]osted\.org|reg[i]stry\.npmjs",
    "a note to ourselves": r"\b(?:TO[D]O|FIX[M]E|X[X]X)\b",
    "papers that are not here": r"\bnot[e]s/\w+\.md|\bBRIE[F]\b|shar[e]d/architecture",
}
TEXT = {".py", ".md", ".toml", ".txt", ".in", ".json", ".cfg", ".sql", ".mako", ".html", ".yml", ".csv", ""}
SKIPPED = {"__pycache__", "build", "dist", "results"}


def files(root: Path) -> Iterator[Path]:
    """The files of the repository: nothing hidden (but .ci), built or cached."""
    for path in sorted(root.iterdir()):
        hidden = path.name.startswith(".") and path.name not in (".ci", ".gitignore", ".github")
        if hidden or path.name in SKIPPED or path.name.startswith("everloop-demo") or path.name.endswith(".egg-info"):
            continue
        if path.is_dir():
            yield from files(path)
        elif path.suffix in TEXT:
            yield path


def private(root: Path) -> list[str]:
    """File, line and what is wrong with it."""
    return [
        f"{path.relative_to(root)}:{number}: {what}: {line.strip()[:80]}"
        for path in files(root)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for what, pattern in PRIVATE.items()
        if re.search(pattern, line)
    ]


def test_no_file_speaks_of_one_machine_or_of_our_workplace():
    assert len(list(files(ROOT))) > 100
    assert private(ROOT) == []


@pytest.mark.parametrize(
    "line", ["see /ho" + "me/ada/shop/x.csv", "open('/ro" + "ot/.cache')", "# TO" + "DO later", "https://py" + "pi.org/simple"]
)
def test_a_file_that_speaks_of_one_machine_is_noticed(line, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text(f"x = 1\n{line}\n", encoding="utf-8")
    (found,) = private(tmp_path)
    assert found.startswith("src/a.py:2: ")
