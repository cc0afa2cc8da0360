#!/usr/bin/env python3
"""Runs the samples of the documentation page in one language, as openapi.yaml has them, against the API in GROUPS_URL.

Usage: samples.py LANGUAGE: cURL, JavaScript, Python or PHP. `cargo local` provides the API and the sample group. A sample
gets only the token and the address from outside. Each must send the request of its operation, and change what it says.
clients/test installs what it needs.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLIENTS = ROOT / "clients"
GROUP = "/v1/groups/L7cGNIBKZiNJ6wqF"
URL, TOKEN = os.environ["GROUPS_URL"], os.environ["GROUPS_TOKEN"]
# The operations in the order in which the samples run, each with its request.
OPERATIONS = {
    "listGroups": "GET /v1/groups",
    "createGroup": "POST /v1/groups",
    "getGroup": f"GET {GROUP}",
    "updateGroup": f"PUT {GROUP}",
    "deleteGroup": f"DELETE {GROUP}",
}


def read_samples(language):
    """Returns the samples of a language by operation."""
    with tempfile.TemporaryDirectory() as directory:
        bundle = pathlib.Path(directory) / "openapi.json"
        redocly = ROOT / "docs" / "reference" / "node_modules" / ".bin" / "redocly"
        command = [redocly, "bundle", "openapi.yaml", "--output", bundle]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        paths = json.loads(bundle.read_text(encoding="utf-8"))["paths"].values()
    operations = [operation for path in paths for operation in path.values() if "operationId" in operation]
    return {
        operation["operationId"]: sample["source"]
        for operation in operations
        for sample in operation["x-codeSamples"]
        if sample["label"] == language
    }


def command_for(language, source, directory, url):
    """Returns the command that runs a sample."""
    if language == "cURL":
        text = source.replace("https://api.protocol.chat", url).replace("{token}", TOKEN)
        return ["bash", "-euc", text.replace("curl ", "curl --fail-with-body --silent --show-error ", 1)]
    if language == "JavaScript":
        # Node finds the package by its name in a folder above the sample.
        package = directory / "node_modules" / "@example" / "protocol-api"
        package.parent.mkdir(parents=True, exist_ok=True)
        if not package.exists():
            package.symlink_to(CLIENTS / "javascript")
        (directory / "token.mjs").write_text("globalThis.token = process.env.GROUPS_TOKEN\n")
        (directory / "sample.mjs").write_text(source)
        return ["node", "--import", directory / "token.mjs", directory / "sample.mjs"]
    if language == "Python":
        (directory / "sample.py").write_text(source)
        run = "import os, runpy; runpy.run_path('sample.py', {'token': os.environ['GROUPS_TOKEN']})"
        return [CLIENTS / "python" / ".venv" / "bin" / "python", "-c", run]
    (directory / "token.php").write_text(
        f"<?php require '{CLIENTS}/php/vendor/autoload.php'; $token = getenv('GROUPS_TOKEN');"
    )
    (directory / "sample.php").write_text("<?php\n" + source)
    return ["php", "-d", f"auto_prepend_file={directory}/token.php", directory / "sample.php"]


def call_api(path):
    """Returns the status code and the body of a GET request."""
    request = urllib.request.Request(URL + path, headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def check_change(operation):
    """Checks that the API now shows what a sample has changed."""
    if operation == "createGroup":
        newest = call_api("/v1/groups?limit=1")[1]["data"][0]
        assert (newest["name"], newest["contacts"]) == ("Plaza Hotel", []), newest
    if operation == "updateGroup":
        assert call_api(GROUP)[1]["description"] == "The finest in New York."
    if operation == "deleteGroup":
        assert call_api(GROUP)[0] == 404


def main():
    language = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)
    samples = read_samples(language)
    assert samples.keys() == OPERATIONS.keys(), f"openapi.yaml has no {language} samples of some operation: {samples}"
    proxy = subprocess.Popen([CLIENTS / "faulty_proxy.py"], stdout=subprocess.PIPE, text=True)
    try:
        url = proxy.stdout.readline().strip()
        for operation, expected in OPERATIONS.items():
            with tempfile.TemporaryDirectory() as name:
                directory = pathlib.Path(name)
                command = command_for(language, samples[operation], directory, url)
                environment = {**os.environ, "PROTOCOL_BASE_URL": url}
                done = subprocess.run(
                    command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
                )
            if done.returncode != 0:
                sys.exit(f"samples.py: the {language} sample of {operation} failed:\n{done.stdout}")
            request = proxy.stdout.readline().strip().split("?")[0]
            assert request == expected, f"the {language} sample of {operation} sent {request}"
            check_change(operation)
            print(f"ok: {language}, {operation}", flush=True)
    finally:
        proxy.kill()


main()
