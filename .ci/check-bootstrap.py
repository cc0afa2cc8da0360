"""Checks that bootstrap.yaml allows what template.yaml needs, and has the variables that the workflows use.

cfn-lint knows which actions CloudFormation itself performs for each type of resource. The script needs the Python
environment of the SAM CLI.
"""

import fnmatch
import json
import pathlib
import re
import subprocess
import sys

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from samcli.yamlhelper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Actions that CloudFormation only performs for properties that template.yaml does not set.
UNUSED = [
    "kms:*",  # keys other than those of AWS
    "ec2:*",  # VPCs
    "elasticfilesystem:*",
    "s3files:*",
    "firehose:*",  # logs that do not go to CloudWatch
    "s3:*Bucket*",
    "s3:REST.PUT.OBJECT",
    "s3:GetObjectMetadata",  # import of a table
    "dynamodb:ImportTable",
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
    "kinesis:*",  # copies of a table's changes
    "dynamodb:*KinesisStreamingDestination",
    "dynamodb:*TableReplica",  # global tables
    "dynamodb:*Item",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:PutResourcePolicy",
    "dynamodb:DeleteResourcePolicy",
    "dynamodb:UpdateContributorInsights",
    "iam:*PermissionsBoundary",
    "lambda:*ProvisionedConcurrencyConfig",
    "lambda:*CodeSigningConfig",
    "lambda:*RuntimeManagementConfig",
    "lambda:PutFunctionRecursionConfig",
    "lambda:PutFunctionScalingConfig",
    "lambda:PassCapacityProvider",
    "lambda:AssociateRuntimeAlias",
    "logs:*DataProtectionPolicy",
    "logs:*KmsKey",
    "logs:DeleteIndexPolicy",
    "logs:PutIndexPolicy",
    "logs:DeleteResourcePolicy",
    "logs:PutBearerTokenAuthentication",
    "logs:PutLogGroupDeletionProtection",
    "codedeploy:RegisterOnPremisesInstance",  # servers
    "apigateway:*tagResource",  # not an action of IAM
]
# Actions for which IAM has neither resources nor conditions that name the stack.
UNSCOPED = [
    "codedeploy:StopDeployment",
    "logs:*LogDeliver*",
    "logs:DescribeLogGroups",
    "logs:*ResourcePolic*",
    "route53:GetChange",
    "route53:ListHostedZones",
]


def matches(action, patterns):
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def as_list(value):
    return value if isinstance(value, list) else [value]


def statements(role):
    """Returns the statements of a role that allow something, also those that depend on a condition."""
    for policy in role["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            statement = statement["Fn::If"][1] if "Fn::If" in statement else statement
            if statement["Effect"] == "Allow":
                yield statement


def expand(**parameters):
    """Returns the resources that CloudFormation gets."""
    target = ROOT / "target" / "ci" / "bootstrapped.json"
    values = [f"{name}={value}" for name, value in parameters.items()]
    subprocess.run([sys.executable, ".ci/expand-template.py", "template.yaml", target, *values], check=True, cwd=ROOT)
    return json.loads(target.read_text(encoding="utf-8"))["Resources"]


def check_actions(role, resources):
    """Checks that the role may do what CloudFormation does for each type of resource."""
    allowed = [action for statement in statements(role) for action in as_list(statement["Action"])]
    types = {resource["Type"] for resource in resources.values()}
    needed = set()
    for kind in sorted(types):
        handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["handlers"]
        retained = all(r.get("DeletionPolicy") == "Retain" for r in resources.values() if r["Type"] == kind)
        for operation in {"create", "read", "update", "delete"} & handlers.keys():
            actions = set(handlers[operation]["permissions"])
            if operation == "delete" and retained:
                actions = set()
            needed |= actions
            missing = {action for action in actions if not matches(action, allowed + UNUSED)}
            assert not missing, f"bootstrap.yaml: {kind} needs these actions to {operation}: {sorted(missing)}"
    for pattern in UNUSED:
        used = {action for action in needed if matches(action, [pattern])}
        assert used, f"check-bootstrap.py: no resource needs {pattern}, so remove it from UNUSED"
    print(f"ok: CloudFormation may change resources of {len(types)} types")


def check_retained(role):
    """Checks that the role cannot delete the tables and queues, nor read or write what they contain."""
    forbidden = ["dynamodb:Delete*", "dynamodb:*Item", "dynamodb:Query", "dynamodb:Scan", "sqs:DeleteQueue"]
    forbidden += ["sqs:PurgeQueue", "sqs:ReceiveMessage", "sqs:SendMessage"]
    for statement in statements(role):
        wrong = [action for action in forbidden if matches(action.replace("*", "x"), as_list(statement["Action"]))]
        wrong += [action for action in as_list(statement["Action"]) if matches(action, forbidden)]
        assert not wrong, f"bootstrap.yaml: CloudFormation may touch data that are retained: {wrong}"


def check_scope(role):
    """Checks that `Resource: "*"` is only used with a condition on the stack, or for actions that IAM cannot limit."""
    for statement in statements(role):
        limited = "${StackName}" in json.dumps(statement.get("Condition", {}))
        if "*" in as_list(statement["Resource"]) and not limited:
            wide = {action for action in as_list(statement["Action"]) if not matches(action, UNSCOPED)}
            assert not wide, f"bootstrap.yaml allows these actions on all resources: {sorted(wide)}"


def check_managed_policies(role, resources):
    """Checks that the role may attach the policies that SAM attaches, and no others."""
    (attach,) = [s for s in statements(role) if "iam:AttachRolePolicy" in s["Action"]]
    allowed = {arn["Fn::Sub"].split("policy/")[1] for arn in attach["Condition"]["ArnEquals"]["iam:PolicyARN"]}
    roles = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::IAM::Role"]
    attached = {arn.split("policy/")[1] for role in roles for arn in role.get("ManagedPolicyArns", [])}
    assert allowed == attached, f"bootstrap.yaml and the expanded template differ in managed policies: {allowed ^ attached}"


def check_roles(roles, resources):
    """Checks who may assume a role, and which roles may be passed to which services."""
    trust = {name: role["Properties"]["AssumeRolePolicyDocument"]["Statement"] for name, role in roles.items()}
    issuer = "token.actions.githubusercontent.com"
    provider = {"Fn::If": ["CreatesProvider", {"Ref": "GitHubProvider"}, {"Ref": "GitHubProviderArn"}]}
    assert trust["DeployRole"] == [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": provider},
            "Condition": {
                "StringEquals": {
                    f"{issuer}:aud": "sts.amazonaws.com",
                    f"{issuer}:sub": {"Fn::Sub": "${SubjectPrefix}:environment:${Stage}"},
                }
            },
        }
    ], trust["DeployRole"]
    assert [s["Principal"] for s in trust["CloudFormationRole"]] == [{"Service": "cloudformation.amazonaws.com"}], trust
    for name, role in roles.items():
        for statement in statements(role):
            if "iam:PassRole" in as_list(statement["Action"]):
                passed = as_list(statement["Condition"]["StringEquals"]["iam:PassedToService"])
                assert "*" not in "".join(passed) and statement["Resource"] != "*", (name, statement)
    (pass_role,) = [s for s in statements(roles["CloudFormationRole"]) if s["Action"] == "iam:PassRole"]
    passed = set(pass_role["Condition"]["StringEquals"]["iam:PassedToService"])
    assumed = set()
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Role":
            for statement in resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
                assumed |= set(as_list(statement["Principal"]["Service"]))
    assert assumed == passed, f"bootstrap.yaml and the expanded template differ in passed roles: {assumed ^ passed}"


def check_resources(role, bootstrap):
    """Checks that the role may change only what is named after the stack, and not itself."""
    # API Gateway and event source mappings have generated ids, and pipes and shared resources other names.
    others = ["apigateway", "event-source-mapping", "PurgePipe", "CodeDeployDefault", "transform", "aws-service-role"]
    others += ["ArtifactsBucket", "HostedZoneId"]
    for statement in statements(role):
        for resource in as_list(statement["Resource"]):
            text = json.dumps(resource)
            named = re.search(r"[:/]\$\{StackName\}(-\*)?(:\*)?\"", text)
            assert named or resource == "*" or any(other in text for other in others), f"bootstrap.yaml: {text}"
    policies = {policy["PolicyName"]: policy["PolicyDocument"]["Statement"] for policy in role["Properties"]["Policies"]}
    (denied,) = [s for s in policies["roles"] if s["Effect"] == "Deny"]
    assert denied["Action"] == "iam:*" and "${AWS::StackName}-*" in json.dumps(denied["Resource"]), denied
    source = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    trust = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert [s["Condition"] for s in trust] == [source], trust
    # An alarm that cannot publish is lost without a trace.
    (publish,) = bootstrap["AlarmTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert publish["Action"] == "sns:Publish" and publish["Principal"] == {"Service": "cloudwatch.amazonaws.com"}, publish
    assert publish["Condition"]["StringEquals"] == source["StringEquals"], publish
    alarms = publish["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"]
    assert alarms.endswith(":alarm:${StackName}-*"), alarms


def check_deploy_role(role):
    """Checks what GitHub may do: what `sam deploy` and .ci/smoke-stage call, and nothing else."""
    allowed = {action for statement in statements(role) for action in as_list(statement["Action"])}
    changes = {"CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DescribeStackEvents", "DescribeStacks"}
    changes |= {"GetTemplateSummary", "TagResource", "UntagResource"}
    expected = {f"cloudformation:{action}" for action in changes}
    expected |= {"s3:GetObject", "s3:PutObject", "iam:PassRole", "lambda:InvokeFunction"}
    assert allowed == expected, f"bootstrap.yaml, DeployRole: {allowed ^ expected}"
    (invoke,) = [s for s in statements(role) if s["Action"] == "lambda:InvokeFunction"]
    functions = [arn["Fn::Sub"].split(":function:")[1] for arn in invoke["Resource"]]
    assert functions == [f"${{StackName}}-{name}Function-*:live" for name in ("IssueToken", "RevokeToken")], functions


def check_rollback():
    """Checks that a rollback is immediate, and works while an alarm is on."""
    workflow = (ROOT / ".github/workflows/roll-back.yml").read_text(encoding="utf-8")
    (parameters,) = [value["with"]["parameters"] for value in yaml_parse(workflow)["jobs"].values()]
    assert set(parameters.split()) == {"DeploymentPreference=AllAtOnce", "RollBackOnAlarms=false"}, parameters


def check_principals(resources):
    """Checks that no policy of a resource allows everybody."""
    for name, resource in resources.items():
        for statement in resource.get("Properties", {}).get("PolicyDocument", {}).get("Statement", []):
            everybody = "*" in json.dumps(statement["Principal"])
            assert statement["Effect"] == "Deny" or not everybody, f"bootstrap.yaml: {name} allows everybody"


def check_variables(outputs):
    """Checks that the workflows use the outputs of bootstrap.yaml and no other variables, and require all of them."""
    workflows = "".join(path.read_text(encoding="utf-8") for path in (ROOT / ".github/workflows").glob("*.yml"))
    used = set(re.findall(r"\bvars\.(\w+)", workflows))
    described = {output["Description"] for output in outputs.values()}
    assert used == described, f"variables that only the workflows or only bootstrap.yaml has: {used ^ described}"
    required = set(re.search(r"for name in (.+); do", workflows)[1].split())
    assert required == used, f"deploy-stage.yml does not check that these variables are set: {used ^ required}"
    print(f"ok: the workflows use the variables {', '.join(sorted(used))}")


def main():
    template = yaml_parse((ROOT / "bootstrap.yaml").read_text(encoding="utf-8"))
    roles = {name: r for name, r in template["Resources"].items() if r["Type"] == "AWS::IAM::Role"}
    resources = expand(Tracing="Active", DeploymentPreference="AllAtOnce", ReleaseId="0123456789abcdef")
    check_actions(roles["CloudFormationRole"], resources)
    check_managed_policies(roles["CloudFormationRole"], resources)
    check_roles(roles, resources)
    check_retained(roles["CloudFormationRole"])
    check_resources(roles["CloudFormationRole"], template["Resources"])
    check_deploy_role(roles["DeployRole"])
    check_rollback()
    for role in roles.values():
        check_scope(role)
    check_principals(template["Resources"])
    check_variables(template["Outputs"])


main()
