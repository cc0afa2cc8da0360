"""Writes a SAM template as the CloudFormation template that it stands for: FROM TO [PARAMETER=VALUE…].

SAM reads the values of some parameters itself, so a template that is to be deployed with other values than the
defaults is expanded with them.
"""

import json
import os
import sys

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class ManagedPolicies:
    """The managed policies that SAM gives functions by itself; in the cloud it asks IAM."""

    def load(self):
        prefix = "arn:${AWS::Partition}:iam::aws:policy"
        names = ["service-role/AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"]
        return {name.split("/")[-1]: f"{prefix}/{name}" for name in names}


source, target, *values = sys.argv[1:]
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
with open(source, encoding="utf-8") as file:
    template = yaml_parse(file.read())
# `sam package` would put the address of the uploaded code here; the translator takes no folder.
template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
parameters = dict(value.split("=", 1) for value in values)
with open(target, "w", encoding="utf-8") as file:
    json.dump(transform(template, parameters, ManagedPolicies()), file, indent=2)
