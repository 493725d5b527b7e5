"""Runs a Lambda handler in a process of its own: ``lambda_side.py FOLDER HOUSE PORT``. Each request becomes an event of a function URL.

``POST /.measured?count=N`` asks the handler itself so many times with the same request, and tells the seconds each took: what HTTP costs
here is no part of a function.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from bench.lambda_events import Asked, body_of, function_url
from everloop.loop.serve.hosted import lambda_handler


def main(folder: str, house: str, port: int) -> None:
    handle = lambda_handler(Path(folder) / "project.py", house=house or None, counted=Path(folder) / "counted")

    class Asking(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def asked(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            heads = {
                name: value for name, value in self.headers.items() if name.lower() in ("authorization", "everloop-now", "content-type")
            }
            if parts.path == "/.measured":
                status, said = 200, json.dumps(self.measured(body, heads, int(parse_qs(parts.query)["count"][0]))).encode()
            else:
                reply = handle(function_url(Asked(self.command, parts.path, body, heads, parts.query)), None)
                status, said = reply["statusCode"], body_of(reply)
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def measured(self, body: bytes, heads: dict[str, str], count: int) -> list[float]:
            said = json.loads(body)
            took = []
            for request in said["requests"][:count]:
                event = function_url(Asked("POST", said["path"], json.dumps(request).encode(), heads))
                began = time.perf_counter()
                reply = handle(event, None)
                took.append(time.perf_counter() - began)
                if reply["statusCode"] != 200:
                    raise RuntimeError(body_of(reply))
            return took

        do_GET = do_POST = asked  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    HTTPServer(("127.0.0.1", port), Asking).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
