"""Two pages for people: where to go, and the OpenAPI document read aloud. Values in, HTML out; no script, nothing loaded from anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--get:#1a7f37;--post:#0b62c4}
@media(prefers-color-scheme:dark){:root{--get:#4cc46a;--post:#6cb0ff}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line)}
code,pre{font:.9em/1.45 ui-monospace,monospace}pre{background:var(--soft);padding:.6rem;overflow-x:auto;border-radius:.3rem}
details{border:1px solid var(--line);border-radius:.4rem;margin:.5rem 0;padding:.4rem .7rem}
summary{cursor:pointer;display:flex;gap:.6rem;flex-wrap:wrap;align-items:baseline}
summary b{min-width:3.2rem}.get{color:var(--get)}.post{color:var(--post)}summary span{flex-basis:100%}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line)}
nav{display:flex;flex-wrap:wrap;gap:.3rem 1rem}
@media(min-width:40rem){summary span{flex-basis:auto}}
"""


def home_page() -> str:
    """Where to go from here."""
    links = (
        ("/docs", "what can be asked here, and what is replied"),
        ("/openapi.json", "the same, for programs"),
        ("/health/ready", "can this worker answer?"),
        ("/health/live", "is this process alive?"),
        ("/v1/status", "each model's standing (needs a key beyond this machine)"),
        ("/metrics", "counters, as Prometheus reads them (needs a key beyond this machine)"),
    )
    rows = "".join(f'<tr><td><a href="{path}"><code>{path}</code></a></td><td>{escape(says)}</td></tr>' for path, says in links)
    return _page("Everloop", f"<h1>Everloop</h1><p>A house that keeps production models right.</p><table>{rows}</table>")


def docs_page(document: Mapping[str, Any]) -> str:
    """An OpenAPI document as a page: each path under the scope it needs, with what it takes and replies.

    >>> "&lt;b&gt;" in docs_page({"info": {"title": "<b>", "description": ""}, "paths": {}, "components": {"schemas": {}}})
    True
    """
    info, groups = document["info"], _groups(document["paths"])
    names = "".join(f'<a href="#{escape(_anchor(tag))}">{escape(tag)}</a>' for tag in [*groups, "records"])
    parts = [f"<h1>{escape(info['title'])}</h1><p>{escape(info.get('description', ''))}</p><nav>{names}</nav>"]
    for tag, operations in groups.items():
        parts.append(f'<h2 id="{escape(_anchor(tag))}">{escape(tag)}</h2>' + "".join(operations))
    records = "".join(
        f'<details id="{escape(_anchor(name))}"><summary><code>{escape(name)}</code></summary>{_schema(schema)}</details>'
        for name, schema in document["components"]["schemas"].items()
    )
    return _page(info["title"], "".join(parts) + f'<h2 id="records">records</h2>{records}')


def _groups(paths: Mapping[str, Any]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for path, methods in paths.items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    return groups


def _operation(method: str, path: str, said: Mapping[str, Any]) -> str:
    head = f'<b class="{escape(method)}">{escape(method.upper())}</b><code>{escape(path)}</code><span>{escape(said["summary"])}</span>'
    parts = [f"<p>{escape(said['description'])}</p>"] if "description" in said else []
    if "parameters" in said:
        rows = "".join(
            f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}{', required' if p['required'] else ''}</td>"
            f"<td>{escape(p['description'])}</td></tr>"
            for p in said["parameters"]
        )
        parts.append(f"<table>{rows}</table>")
    for kind, content in said.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<p>Takes <code>{escape(kind)}</code></p>{_schema(content['schema'])}")
    rows = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(reply['description'])}</td><td>{_replied(reply)}</td></tr>"
        for status, reply in said["responses"].items()
    )
    return f"<details><summary>{head}</summary>{''.join(parts)}<table>{rows}</table></details>"


def _replied(reply: Mapping[str, Any]) -> str:
    names = dict.fromkeys(_refs([content["schema"] for content in reply.get("content", {}).values()]))
    return ", ".join(_link(name) for name in names)


def _refs(schema: object) -> list[str]:
    """The names of every record a schema speaks of, in order."""
    if isinstance(schema, Mapping):
        own = [schema["$ref"].rpartition("/")[2]] if "$ref" in schema else []
        return own + [name for value in schema.values() for name in _refs(value)]
    return [name for value in schema for name in _refs(value)] if isinstance(schema, list) else []


def _schema(schema: Mapping[str, Any]) -> str:
    links = ", ".join(_link(name) for name in dict.fromkeys(_refs(schema)))
    return (f"<p>{links}</p>" if links else "") + f"<pre>{escape(json.dumps(schema, indent=1, ensure_ascii=False))}</pre>"


def _link(name: str) -> str:
    return f'<a href="#{escape(_anchor(name))}"><code>{escape(name)}</code></a>'


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


def _page(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>{escape(title)}</title>'
    return f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{body}</body></html>'
