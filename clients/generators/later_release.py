#!/usr/bin/env python3
"""Runs a command with an API that responds as a later release may: objects have a new member, and errors a new code.

Usage: later_release.py COMMAND…, with the URL of the API in GROUPS_URL

Each 404 is a 503 instead, whose error may also be one of API Gateway.
"""

import http.client
import json
import os
import subprocess
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

UPSTREAM = urllib.parse.urlsplit(os.environ["GROUPS_URL"])


def extend(members):
    """Adds a member to an object, and replaces the code of an error."""
    members["new_member"] = {"a": 1}
    if "code" in members:
        members["code"] = "new_code"
    return members


class Handler(BaseHTTPRequestHandler):
    def forward(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        connection = http.client.HTTPConnection(UPSTREAM.netloc, timeout=60)
        connection.request(self.command, self.path, body, dict(self.headers.items()))
        response = connection.getresponse()
        body = response.read()
        if body:
            body = json.dumps(json.loads(body, object_hook=extend)).encode()
        self.send_response(503 if response.status == 404 else response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_DELETE = do_GET = do_POST = do_PUT = forward

    def log_message(self, format, *arguments):
        """Logs nothing."""


with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    status = subprocess.run(sys.argv[1:], env={**os.environ, "GROUPS_URL": url}).returncode
    server.shutdown()
sys.exit(status)
