"""Deploys what `sam build` built to a stage, which is a section of samconfig.toml: STAGE [PARAMETER=VALUE…] [-- OPTION…].

The values given here replace those of samconfig.toml for this deployment. The options go to `sam deploy`. The code is uploaded to the bucket in the
environment variable ARTIFACTS_BUCKET or, if it is not set, to the bucket that the SAM CLI manages. CloudFormation
assumes the role in CLOUDFORMATION_ROLE_ARN, if it is set. It needs the SAM CLI, the AWS CLI and credentials.
"""

import hashlib
import os
import pathlib
import shlex
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def stage_settings(stage):
    """Returns the settings that samconfig.toml has for the deployment of a stage."""
    with open(ROOT / "samconfig.toml", "rb") as file:
        sections = tomllib.load(file)
    stages = [name for name in sections if isinstance(sections[name], dict) and "deploy" in sections[name]]
    if stage not in stages:
        sys.exit(f"samconfig.toml has no stage {stage}. It has: {', '.join(stages)}")
    return sections[stage]["deploy"]["parameters"]


def split_parameters(pairs):
    """Returns the values of parameters by name, from texts such as LogLevel=INFO."""
    for pair in pairs:
        if "=" not in pair:
            sys.exit(f"deploy.py: {pair} is not PARAMETER=VALUE")
        # The SAM CLI would change such a value.
        if set(pair) & set("'\"\\") or "ParameterKey=" in pair:
            sys.exit(f"deploy.py: {pair} contains a quotation mark, a backslash or ParameterKey=")
    return dict(pair.split("=", 1) for pair in pairs)


def template_parameters(stage, changes=()):
    """Returns the values of the template's parameters in a stage, with changes such as LogLevel=INFO."""
    configured = split_parameters(shlex.split(stage_settings(stage)["parameter_overrides"]))
    changes = split_parameters(changes)
    for name in changes:
        if name not in configured:
            sys.exit(f"deploy.py: there is no parameter {name}. There are: {', '.join(configured)}")
    return configured | changes


def hash_release(build, parameters):
    """Returns a hash of all files of a build and of the values of the parameters.

    SAM only publishes versions of functions if their code or a text in the template changed. It does not see that the
    value of a parameter did (https://github.com/aws/serverless-application-model/issues/3820).
    """
    digest = hashlib.sha256()
    files = sorted(path for path in pathlib.Path(build).rglob("*") if path.is_file())
    for path in files:
        digest.update(f"{path.relative_to(build)}\n{path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    digest.update(repr(sorted(parameters.items())).encode())
    return digest.hexdigest()[:16]


def release_id(hashed, deployed):
    """Returns the id of a release with this hash, on a stack whose release has the id `deployed`, or "".

    A release without a change keeps its id, so nothing changes. Otherwise the id is new, even if the same release was
    deployed and rolled back before: SAM appends the id to each function's description, so Lambda does not refuse the
    version as equal to the last one.
    """
    return deployed if deployed.startswith(hashed) else f"{hashed}{int(time.time()):x}"


def deployed_release_id(stack):
    """Returns the id of the release that a stack has, or "" if there is no such stack."""
    query = "Stacks[0].Parameters[?ParameterKey=='ReleaseId'].ParameterValue"
    command = ["aws", "cloudformation", "describe-stacks", "--stack-name", stack, "--query", query, "--output", "text"]
    described = subprocess.run(command, capture_output=True, text=True)
    if described.returncode != 0 and "does not exist" not in described.stderr:
        sys.exit(f"deploy.py: {described.stderr.strip()}")
    return described.stdout.strip()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    stage, *changes = sys.argv[1:]
    options = []
    if "--" in changes:
        split = changes.index("--")
        changes, options = changes[:split], changes[split + 1 :]
    build = ROOT / ".aws-sam" / "build"
    if not (build / "template.yaml").exists():
        sys.exit("deploy.py: there is no build. Run `sam build` first")
    parameters = template_parameters(stage, changes)
    stack = stage_settings(stage)["stack_name"]
    parameters["ReleaseId"] = release_id(hash_release(build, parameters), deployed_release_id(stack))
    bucket = os.environ.get("ARTIFACTS_BUCKET")
    options += ["--s3-bucket", bucket] if bucket else ["--resolve-s3"]
    if role := os.environ.get("CLOUDFORMATION_ROLE_ARN"):
        options += ["--role-arn", role]
    overrides = [f"{name}={shlex.quote(value)}" for name, value in parameters.items()]
    command = ["sam", "deploy", "--config-env", stage, *options, "--parameter-overrides", " ".join(overrides)]
    print(f"release {parameters['ReleaseId']}", flush=True)
    sys.exit(subprocess.run(command, cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
