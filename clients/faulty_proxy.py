#!/usr/bin/env python3
"""Forwards HTTP requests to the API in GROUPS_URL, with faults. The clients' tests use it.

Usage: faulty_proxy.py FAULT…

It prints its URL, and then a line with the method and path of each request that it receives. The first request gets the
first fault, and so on; requests after the last fault are forwarded. The faults:

  pass       forward the request and its response
  503, 429   respond with this status code, as the API or API Gateway does; 503:2 and 429:2 with Retry-After: 2.
             Any other status code responds with API Gateway's body
  unknown    respond with 503 and the code outcome_unknown, without forwarding
  html       respond with 502 and a body of HTML
  garbage    respond with 200 and a body that is not JSON
  close      close the connection without forwarding the request
  lose       forward the request, and close the connection instead of responding
  slow:S     forward the request, and respond after S seconds
"""

import http.client
import json
import os
import re
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

UPSTREAM = urllib.parse.urlsplit(os.environ["GROUPS_URL"])
FAULTS = iter(sys.argv[1:])
for argument in sys.argv[1:]:
    if not re.fullmatch(r"pass|unknown|html|garbage|close|lose|slow:[\d.]+|\d{3}(:\d+)?", argument):
        sys.exit(f"faulty_proxy.py: there is no fault {argument}.\n\n{__doc__}")


def error(kind, code):
    """Returns the body of one of the API's errors."""
    url = f"https://protocol.chat/docs/errors/{kind}"
    return json.dumps({"type": kind, "code": code, "message": f"The fault is {code}.", "documentation_url": url})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_request(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        print(self.command, self.path, flush=True)
        fault, _, argument = next(FAULTS, "pass").partition(":")
        if fault in ("pass", "lose", "slow"):
            status, headers, body = self.forward(body)
            if fault == "slow":
                time.sleep(float(argument))
            if fault != "lose":
                return self.respond(status, headers, body)
        elif fault == "unknown":
            return self.respond(503, {"content-type": "application/json"}, error("api_error", "outcome_unknown"))
        elif fault == "html":
            return self.respond(502, {"content-type": "text/html"}, "<h1>Bad gateway</h1>")
        elif fault == "garbage":
            return self.respond(200, {"content-type": "application/json"}, "{")
        elif fault != "close":
            headers = {"content-type": "application/json"}
            if argument:
                headers["retry-after"] = argument
            body = error("api_error", "unavailable") if fault == "503" else json.dumps({"message": "The fault."})
            return self.respond(int(fault), headers, body)
        self.close_connection = True

    do_DELETE = do_GET = do_POST = do_PUT = handle_request

    def forward(self, body):
        """Sends the request to the API, and returns the status code, headers and body of the response."""
        connection = http.client.HTTPConnection(UPSTREAM.netloc, timeout=60)
        connection.request(self.command, self.path, body, dict(self.headers.items()))
        response = connection.getresponse()
        skipped = ("connection", "content-length", "transfer-encoding")
        headers = {name: value for name, value in response.getheaders() if name.lower() not in skipped}
        return response.status, headers, response.read()

    def respond(self, status, headers, body):
        body = body.encode() if isinstance(body, str) else body
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status not in (204, 304):
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            # The client has given up.
            self.close_connection = True

    def log_message(self, format, *arguments):
        """Does not log, because the requests are printed already."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
