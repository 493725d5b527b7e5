"""How the tests of this folder read Markdown: tables, code blocks, headings and links, from text alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "everloop"
FENCE = re.compile(r"^```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """One fenced block; ``line`` is the line of its first line of text, counted from 1."""

    language: str
    text: str
    line: int


def pages(root: Path = ROOT) -> list[Path]:
    """Every page there is: those at the top, then those of docs/."""
    return [*sorted(root.glob("*.md")), *sorted((root / "docs").glob("*.md"))]


def read(page: str, root: Path = ROOT) -> str:
    return (root / page).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    return [Block(m["language"], m["text"], text.count("\n", 0, m.start("text")) + 1) for m in FENCE.finditer(text)]


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return FENCE.sub("", text)


def section(text: str, heading: str) -> str:
    """What stands under a heading that begins so, up to the next one of its level or above."""
    start = re.search(rf"^(#+) {re.escape(heading)}.*$", text, re.MULTILINE)
    assert start, f"no heading {heading!r}"
    rest = text[start.end() :]
    end = re.search(rf"^#{{1,{len(start[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, without heads and rules."""
    lines = prose(text).splitlines()
    found = []
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("|") and not _is_rule(line) and not _is_rule(after):
            found.append([cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def _is_rule(line: str) -> bool:
    return line.startswith("|") and not line.strip("|-: ")


def code(text: str) -> list[str]:
    """Everything between single backticks."""
    return CODE.findall(text)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings."""
    heads = re.findall(r"^#+ (.+?)\s*$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def links(text: str) -> Iterator[str]:
    """Where the page's links lead, those to other sites left out."""
    for to in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", prose(text))):
        if "://" not in to and not to.startswith("mailto:"):
            yield to
