"""Converts a SAM template to the CloudFormation template that SAM generates: FROM TO [PARAMETER=VALUE…].

SAM itself reads the values of some parameters, so pass the values that the deployment will use.
"""

import json
import os
import sys

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class ManagedPolicies:
    """The managed policies that SAM adds to functions. In the cloud, SAM reads them from IAM."""

    def load(self):
        prefix = "arn:${AWS::Partition}:iam::aws:policy"
        names = ["service-role/AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"]
        return {name.split("/")[-1]: f"{prefix}/{name}" for name in names}


source, target, *values = sys.argv[1:]
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
with open(source, encoding="utf-8") as file:
    template = yaml_parse(file.read())
# `sam package` sets this to the URL of the uploaded code; the translator does not accept a folder.
template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
parameters = dict(value.split("=", 1) for value in values)
with open(target, "w", encoding="utf-8") as file:
    json.dump(transform(template, parameters, ManagedPolicies()), file, indent=2)
