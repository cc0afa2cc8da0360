"""The package and its documents."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable

import pytest
from conftest import API, ROOT, MakeClient, Respond

import protocol_api
from protocol_api import ApiClient

FOLDER = ROOT / "clients/python"


def run(code: str, token: str) -> str:
    """Runs a program, and returns what it prints."""
    environment = os.environ | {"PROTOCOL_BASE_URL": API, "PROTOCOL_TOKEN": token}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def test_the_examples_of_the_readme_work(token: str) -> None:
    examples = re.findall("```python\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    printed = run("".join(examples), token)
    assert "description='The finest in New York.'" in printed
    assert "\nPlaza Hotel\n" in printed


def test_the_version_is_the_one_of_the_api() -> None:
    [version] = re.findall(r"^  version: (\S+)$", (ROOT / "openapi.yaml").read_text(), re.MULTILINE)
    assert protocol_api.__version__ == version


def test_requests_identify_the_client(make_client: MakeClient, serve: Callable[[Respond], str]) -> None:
    heads: list[str] = []
    url = serve(lambda connection, head: heads.append(head))
    with pytest.raises(protocol_api.ConnectionError):
        make_client(base_url=url, retries=0).groups.list()
    assert f"User-Agent: protocol-api-python/{protocol_api.__version__}\r\n" in heads[0]


def test_the_public_api_is_the_default(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROTOCOL_BASE_URL", raising=False)
    assert ApiClient(token)._http.base_url == "https://api.protocol.chat"
    monkeypatch.setenv("PROTOCOL_BASE_URL", "")
    assert ApiClient(token)._http.base_url == "https://api.protocol.chat"
    monkeypatch.setenv("PROTOCOL_BASE_URL", API)
    assert ApiClient(token)._http.base_url == API
    assert ApiClient(token, base_url="HTTPS://a.example/b/")._http.base_url == "https://a.example/b/"


def test_both_distributions_contain_the_license_and_the_types() -> None:
    [wheel] = (FOLDER / "dist").glob("*.whl")
    [source] = (FOLDER / "dist").glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        wheel_names = archive.namelist()
    with tarfile.open(source) as archive:
        source_names = archive.getnames()
    for names in (wheel_names, source_names):
        assert any(name.endswith("/LICENSE") for name in names)
        assert any(name.endswith("protocol_api/py.typed") for name in names)
