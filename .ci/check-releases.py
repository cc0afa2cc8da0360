"""Checks on pairs of expanded templates that each change publishes versions, and that a release without one does not.

Also checks that every stage of samconfig.toml lists every parameter, and the size of the packaged template. It needs the
Python environment of the SAM CLI.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import deploy
from samcli.yamlhelper import yaml_dump, yaml_parse

STAGE = "production"
TEMPLATE = (deploy.ROOT / "template.yaml").read_text(encoding="utf-8")
# CloudFormation accepts a larger template only from a bucket.
MAX_BYTES = 51_200
# Another value of each parameter.
CHANGES = {
    "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms",
    "AllowedOrigins": "https://chat.example",
    "Architecture": "x86_64",
    "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1",
    "DeploymentPreference": "AllAtOnce",
    "DocumentationUrl": "https://chat.example/errors",
    "DomainName": "api.chat.example",
    "DynamoDbEndpointUrl": "https://dynamodb.chat.example",
    "HostedZoneId": "Z1",
    "LogLevel": "DEBUG",
    "LogRetentionDays": "1",
    "PurgeDelaySeconds": "1",
    "ReadsPerSecond": "1",
    "ReservedConcurrency": "1",
    "RollBackOnAlarms": "false",
    "Tracing": "Active",
    "WritesPerSecond": "1",
}


def release(directory, template=TEMPLATE, code="code", changes=()):
    """Returns the resources that CloudFormation gets for a build with this template and this code."""
    build = pathlib.Path(directory) / "build"
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir()
    (build / "template.yaml").write_text(template, encoding="utf-8")
    (build / "bootstrap").write_text(code, encoding="utf-8")
    parameters = deploy.template_parameters(STAGE, changes)
    parameters["ReleaseId"] = deploy.hash_release(build, parameters)
    values = [f"{name}={value}" for name, value in parameters.items()]
    script = [sys.executable, ".ci/expand-template.py", build / "template.yaml", build / "expanded.json", *values]
    subprocess.run(script, check=True, cwd=deploy.ROOT)
    return json.loads((build / "expanded.json").read_text(encoding="utf-8"))["Resources"]


def of_type(resources, kind):
    return {name: resource for name, resource in resources.items() if resource["Type"] == kind}


def check_new_versions(what, before, after):
    """Checks that every function has a new version, that Lambda accepts it, and that the alias moves to it."""
    functions = of_type(after, "AWS::Lambda::Function")
    versions = of_type(after, "AWS::Lambda::Version")
    assert len(versions) == len(functions) > 0, (what, list(versions))
    kept = versions.keys() & of_type(before, "AWS::Lambda::Version").keys()
    assert not kept, f"{what} does not publish a version: {kept}"
    for name, function in functions.items():
        # Lambda refuses a version of a function whose code and configuration are those of the last version.
        description = function["Properties"]["Description"]
        assert description != before[name]["Properties"]["Description"], (what, description)
        alias = after[f"{name}Aliaslive"]["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]
        assert alias in versions, (what, alias)


def check_size():
    """Checks the size of the template as `sam package` writes it, with the longest possible name of a bucket."""
    template = yaml_parse(TEMPLATE)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://{'b' * 63}/{'k' * 32}"
    size = len(yaml_dump(template).encode())
    assert size <= MAX_BYTES, f"the packaged template has {size} bytes, and may have {MAX_BYTES}"
    print(f"ok: the packaged template has {size} of {MAX_BYTES} bytes")


def main():
    check_size()
    parameters = yaml_parse(TEMPLATE)["Parameters"].keys() - {"ReleaseId"}
    assert parameters == CHANGES.keys(), f"CHANGES is not the list of parameters: {parameters ^ CHANGES.keys()}"
    for stage, stack in {"default": "groups", "staging": "groups-staging", "production": "groups-production"}.items():
        listed = deploy.template_parameters(stage).keys()
        assert listed == parameters, f"samconfig.toml, {stage}: {parameters ^ listed}"
        settings = deploy.stage_settings(stage)
        found = [settings.get(name) for name in ("stack_name", "capabilities", "fail_on_empty_changeset")]
        assert found == [stack, "CAPABILITY_IAM", False], f"samconfig.toml, {stage}: {found}"
    assert deploy.template_parameters(STAGE)["DeploymentPreference"].startswith("Canary"), "production needs a canary"
    # The same release again is a no-op, and a new one after a rollback, when the stack has another release.
    assert deploy.release_id("ab", "ab12") == "ab12"
    assert deploy.release_id("ab", "cd12").startswith("ab") and len(deploy.release_id("ab", "")) > len("ab")
    with tempfile.TemporaryDirectory() as directory:
        before = release(directory)
        assert release(directory) == before, "a release without a change changes the template"
        check_new_versions("new code", before, release(directory, code="new code"))
        for name, value in CHANGES.items():
            check_new_versions(name, before, release(directory, changes=[f"{name}={value}"]))
        # Lambda does not version the reserved concurrency and the tags of a function.
        tagged = TEMPLATE.replace("    Runtime: provided.al2023\n", "    Runtime: provided.al2023\n    Tags: {a: b}\n")
        reserved = TEMPLATE.replace("!Ref ReservedConcurrency, !Ref AWS::NoValue", "!Ref ReservedConcurrency, 7")
        for what, template in [("a tag", tagged), ("reserved concurrency", reserved)]:
            assert template != TEMPLATE, what
            check_new_versions(what, before, release(directory, template=template))
        without_alarms = release(directory, changes=["RollBackOnAlarms=false"])
        for name, group in of_type(without_alarms, "AWS::CodeDeploy::DeploymentGroup").items():
            condition, _, otherwise = group["Properties"]["AlarmConfiguration"]["Fn::If"]
            assert (condition, otherwise) == ("RollsBackOnAlarms", {}), name
    print(f"ok: {len(CHANGES) + 3} changes publish versions, and a release without a change publishes none")


main()
