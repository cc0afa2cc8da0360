"""Deploys the template on an emulator of CloudFormation, API Gateway, Lambda and DynamoDB, with the functions
of a release build, and tests it: .ci/smoke-stage, a browser's preflight, the purge of messages, and updates.

Usage: deploy-emulated.py DIRECTORY, with the binaries. It removes what the emulator does not support, and prints it.
"""

import io
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import zipfile

import boto3
import deploy

BUCKET = "code"
# The origin of a web page that may call the API.
ORIGIN = "https://chat.example"
# The section of samconfig.toml that is deployed, and its stack.
STAGE, STACK = "staging", "groups-staging"


def start_emulator():
    """Starts the emulator, and returns its process and URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "ministack"],
        env={**os.environ, "GATEWAY_PORT": str(port)},
        stdout=open("target/ci/emulator.log", "w", encoding="utf-8"),
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{url}/_ministack/health", timeout=1)
            return process, url
        except OSError:
            time.sleep(0.1)
    process.kill()
    sys.exit("deploy-emulated.py: the emulator does not respond; see target/ci/emulator.log")


def simplify(template):
    """Removes what the emulator does not support from the template, or replaces it."""
    resources = template["Resources"]
    for name in [name for name, resource in resources.items() if is_code_deploy(name, resource)]:
        print(f"removed: {name}")
        del resources[name]
    for name, resource in list(resources.items()):
        properties = resource.get("Properties", {})
        if resource.pop("UpdatePolicy", None):
            print(f"removed: {name}.UpdatePolicy")
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in properties:
            print(f"replaced: {name}.Metrics, which is metric math, by its first metric")
            first = next(m["MetricStat"] for m in properties.pop("Metrics") if "MetricStat" in m)
            properties.update(first["Metric"], Period=first["Period"], Statistic=first["Stat"])
        if resource["Type"] == "AWS::Pipes::Pipe":
            print(f"replaced: {name} by this script, because the emulator's pipes do not send to SQS")
        if resource["Type"] == "AWS::ApiGatewayV2::Api":
            print(f"replaced: {name}.Body, which is OpenAPI, by resources for its routes")
            resources.update(move_routes(name, properties))
    return template


def check_roles(template):
    """Checks that SAM only adds permissions to write logs, and traces if they are on."""
    resources = template["Resources"]
    for name, resource in resources.items():
        if resource["Type"] == "AWS::IAM::Role" and name not in ("CodeDeployServiceRole", "PurgePipeRole"):
            function = resources[name.removesuffix("Role")]["Properties"]
            traces = {"AWSXrayWriteOnlyAccess"} if "TracingConfig" in function else set()
            managed = {arn.split("/")[-1] for arn in resource["Properties"]["ManagedPolicyArns"]}
            assert managed == {"AWSLambdaBasicExecutionRole"} | traces, (name, managed)
    print("ok: roles")


def is_code_deploy(name, resource):
    return resource["Type"].startswith("AWS::CodeDeploy::") or name == "CodeDeployServiceRole"


def move_routes(api, properties):
    """Removes the body of an API, and returns resources for its routes. CORS becomes a property."""
    body = properties.pop("Body")
    # The emulator expects the members of CORS in lower case, as in OpenAPI.
    cors = body["x-amazon-apigateway-cors"]
    properties.update(Name=STACK, ProtocolType="HTTP", CorsConfiguration=cors)
    made = {}
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            if method == "parameters":
                continue
            integration = operation["x-amazon-apigateway-integration"]
            key = "$default" if path == "$default" else f"{method.upper()} {path}"
            name = f"Route{len(made) // 2}"
            made[f"{name}Integration"] = {
                "Type": "AWS::ApiGatewayV2::Integration",
                "Properties": {
                    "ApiId": {"Ref": api},
                    "IntegrationType": "AWS_PROXY",
                    "IntegrationUri": integration["uri"],
                    "PayloadFormatVersion": integration["payloadFormatVersion"],
                    "TimeoutInMillis": integration["timeoutInMillis"],
                },
            }
            made[name] = {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {
                    "ApiId": {"Ref": api},
                    "RouteKey": key,
                    "Target": {"Fn::Sub": f"integrations/${{{name}Integration}}"},
                },
            }
    return made


def upload(s3, template, binaries):
    """Uploads each function's code, as `sam package` does."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            binary = resource["Metadata"]["BuildProperties"]["Binary"]
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
                bootstrap = zipfile.ZipInfo("bootstrap")
                bootstrap.external_attr = 0o755 << 16
                with open(f"{binaries}/{binary}", "rb") as code:
                    file.writestr(bootstrap, code.read())
            s3.put_object(Bucket=BUCKET, Key=binary, Body=archive.getvalue())
            resource["Properties"]["Code"] = {"S3Bucket": BUCKET, "S3Key": binary}


def expand(parameters):
    """Returns the template that SAM generates with these parameters. The translator has its own Python environment."""
    target = "target/ci/emulated.json"
    values = [f"{name}={value}" for name, value in parameters.items()]
    script = ["target/ci/sam/bin/python", ".ci/expand-template.py", "template.yaml", target, *values]
    subprocess.run(script, check=True)
    with open(target, encoding="utf-8") as file:
        return json.load(file)


def collect_build(binaries):
    """Returns a directory with the template and the code, as `sam build` makes one."""
    build = pathlib.Path("target/ci/build")
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir()
    shutil.copy("template.yaml", build)
    for folder in pathlib.Path("functions").iterdir():
        shutil.copy(f"{binaries}/{folder.name}", build)
    return build


def deploy_stack(client, operation, binaries, parameters):
    """Creates or updates the stack, and returns its outputs."""
    parameters = parameters | {"ReleaseId": deploy.hash_release(collect_build(binaries), parameters)}
    template = expand(parameters)
    check_roles(template)
    template = simplify(template)
    s3, cloudformation = client("s3"), client("cloudformation")
    upload(s3, template, binaries)
    s3.put_object(Bucket=BUCKET, Key="template.json", Body=json.dumps(template).encode())
    getattr(cloudformation, f"{operation}_stack")(
        StackName=STACK,
        TemplateURL=f"{s3.meta.endpoint_url}/{BUCKET}/template.json",
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
    )
    for _ in range(120):
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            break
        time.sleep(0.5)
    if stack["StackStatus"] != f"{operation.upper()}_COMPLETE":
        events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        failed = [event for event in events if "FAILED" in event["ResourceStatus"]]
        reasons = [f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}" for event in failed]
        sys.exit(f"deploy-emulated.py: {stack['StackStatus']}: {reasons}")
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    print(f"ok: {operation}, {len(resources)} resources")
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def invoke(client, function, payload):
    """Invokes a function by its name, and returns its response."""
    response = client("lambda").invoke(FunctionName=function, Payload=json.dumps(payload).encode())
    body = json.load(response["Payload"])
    if "FunctionError" in response:
        sys.exit(f"deploy-emulated.py: {function}: {body}")
    return body


def request(method, url, headers, body=None):
    """Sends a request, and returns the status code, headers and body of the response."""
    # Names below localhost mean this machine. curl resolves them, but not every resolver does.
    parts = urllib.parse.urlsplit(url)
    address = parts._replace(netloc=f"127.0.0.1:{parts.port}").geturl()
    headers = {**headers, "Host": parts.netloc}
    outgoing = urllib.request.Request(address, method=method, headers=headers, data=body)
    with urllib.request.urlopen(outgoing, timeout=30) as response:
        return response.status, response.headers, response.read()


def check_cors(api, token):
    """Sends a browser's preflight, and then its request."""
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,content-type,if-match",
    }
    status, found, _ = request("OPTIONS", f"{api}/v1/groups/L7cGNIBKZiNJ6wqF", headers)
    allowed = found["access-control-allow-origin"], found["access-control-allow-methods"]
    assert status in (200, 204) and allowed[0] == ORIGIN and "PUT" in allowed[1], (status, allowed)
    print(f"ok: preflight {status}")
    headers = {"Origin": ORIGIN, "Authorization": f"Bearer {token}"}
    _, found, _ = request("GET", f"{api}/v1/groups", headers)
    readable = found["access-control-allow-origin"], found["access-control-expose-headers"]
    assert readable[0] == ORIGIN and "x-request-id" in readable[1], readable
    print("ok: a web page of that origin may read the response")


def check_options(client, outputs):
    """Checks that the fallback responds to OPTIONS. The emulator does not pass such requests on, so invoke it by name."""
    with open("events/fallback.json", encoding="utf-8") as file:
        event = json.load(file)
    event |= {"routeKey": "OPTIONS /{proxy+}", "rawPath": "/v1/groups"}
    event["requestContext"]["http"]["method"] = "OPTIONS"
    response = invoke(client, outputs["FallbackFunctionName"], event)
    found = response["statusCode"], response["headers"]["allow"]
    assert found == (204, "GET, POST"), response
    print("ok: the fallback responds to OPTIONS")


class Pipe:
    """Sends stream records to the queue of purges, as the template's pipe does."""

    def __init__(self, client, outputs):
        self.streams, self.sqs = client("dynamodbstreams"), client("sqs")
        self.queue = outputs["PurgeQueueUrl"]
        with open("target/ci/emulated.json", encoding="utf-8") as file:
            properties = json.load(file)["Resources"]["PurgePipe"]["Properties"]
        patterns = [json.loads(f["Pattern"]) for f in properties["SourceParameters"]["FilterCriteria"]["Filters"]]
        assert all(pattern.keys() == {"eventName"} for pattern in patterns), patterns
        self.events = {event for pattern in patterns for event in pattern["eventName"]}
        self.template = properties["TargetParameters"]["InputTemplate"]
        stream = self.streams.list_streams(TableName=outputs["GroupsTableName"])["Streams"][0]["StreamArn"]
        shards = self.streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
        self.iterators = [
            self.streams.get_shard_iterator(
                StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            for shard in shards
        ]

    def run(self):
        """Sends the records since the last call."""
        for index, iterator in enumerate(self.iterators):
            read = self.streams.get_records(ShardIterator=iterator)
            self.iterators[index] = read["NextShardIterator"]
            for record in read["Records"]:
                if record["eventName"] in self.events:
                    self.sqs.send_message(QueueUrl=self.queue, MessageBody=self.fill_template(record))

    def fill_template(self, record):
        """Returns the input template, filled with values of the record."""

        def value(match):
            found = record
            for name in match[1].split("."):
                found = found[name]
            return found

        return re.sub(r"<\$\.([^>]+)>", value, self.template)


def check_purge(client, outputs, api, token):
    """Checks that the messages of a deleted group are deleted, driven by the queue."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    _, _, body = request("POST", f"{api}/v1/groups", headers, b'{"name": "With messages"}')
    group = json.loads(body)
    dynamodb, table = client("dynamodb"), outputs["MessagesTableName"]
    conversation = {"S": group["conversation_id"]}
    for number in range(30):
        dynamodb.put_item(TableName=table, Item={"conversation_id": conversation, "id": {"S": str(number)}})
    pipe = Pipe(client, outputs)
    request("DELETE", f"{api}/v1/groups/{group['id']}", headers)
    for _ in range(120):
        pipe.run()
        left = dynamodb.query(
            TableName=table,
            KeyConditionExpression="conversation_id = :id",
            ExpressionAttributeValues={":id": conversation},
        )["Count"]
        if left == 0:
            break
        time.sleep(0.5)
    else:
        sys.exit(f"deploy-emulated.py: {left} messages are left")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    for queue in ["PurgeQueueUrl", "PurgeFailuresQueueUrl"]:
        for _ in range(20):
            output = client("sqs").get_queue_attributes(QueueUrl=outputs[queue], AttributeNames=names)
            if set(output["Attributes"].values()) == {"0"}:
                break
            time.sleep(0.5)
        else:
            sys.exit(f"deploy-emulated.py: {queue}: {output['Attributes']}")
    print("ok: messages purged, and the queues are empty")


def live_versions(client, outputs):
    """Returns, for each function, the version that `live` points to and its log level."""
    versions = {}
    for name in [name for name in outputs if name.endswith("FunctionName")]:
        function = outputs[name].removesuffix(":live")
        live = client("lambda").get_function_configuration(FunctionName=function, Qualifier="live")
        versions[function] = live["Version"], live["Environment"]["Variables"]["LOG_LEVEL"]
    assert len(versions) == len(list(pathlib.Path("functions").iterdir())), versions
    return versions


def check_updates(client, outputs, binaries, parameters):
    """Checks that an update of only a parameter reaches every function, and that a second one changes nothing."""
    before = live_versions(client, outputs)
    parameters = parameters | {"LogLevel": "DEBUG"}
    deploy_stack(client, "update", binaries, parameters)
    after = live_versions(client, outputs)
    for function, (version, level) in after.items():
        assert level == "DEBUG" and version != before[function][0], (function, before[function], version, level)
    print("ok: a changed parameter reaches every function")
    try:
        deploy_stack(client, "update", binaries, parameters)
    except client("cloudformation").exceptions.ClientError as error:
        # The SAM CLI counts this as success (`fail_on_empty_changeset` in samconfig.toml).
        assert error.response["Error"]["Message"] == "No updates are to be performed.", error
    else:
        sys.exit("deploy-emulated.py: an update without a change changed something")
    print("ok: an update without a change changes nothing")


def main():
    binaries = sys.argv[1]
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
    process, url = start_emulator()
    try:
        def client(service):
            return boto3.client(service, endpoint_url=url)

        client("s3").create_bucket(Bucket=BUCKET)
        parameters = deploy.template_parameters(STAGE) | {
            "AllowedOrigins": ORIGIN,
            "Architecture": "x86_64" if os.uname().machine == "x86_64" else "arm64",
            "DynamoDbEndpointUrl": url,
            "PurgeDelaySeconds": "1",
        }
        outputs = deploy_stack(client, "create", binaries, parameters)
        api_id = outputs["ApiUrl"].removeprefix("https://").split(".")[0]
        api = url.replace("127.0.0.1", f"{api_id}.execute-api.localhost")
        # The AWS CLI is next to this Python.
        path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        environment = {**os.environ, "AWS_ENDPOINT_URL": url, "GROUPS_URL": api, "PATH": path}
        subprocess.run([".ci/smoke-stage", STAGE], check=True, env=environment)
        payload = {"account_id": "emulated", "name": "emulated"}
        token = invoke(client, outputs["IssueTokenFunctionName"], payload)["token"]
        check_cors(api, token)
        check_options(client, outputs)
        check_purge(client, outputs, api, token)
        revoked = invoke(client, outputs["RevokeTokenFunctionName"], payload)
        assert revoked == {"revoked": 1}, revoked
        print("ok: token revoked")
        check_updates(client, outputs, binaries, parameters)
        # Update the stack, with everything that is off by default.
        zone = client("route53").create_hosted_zone(Name="chat.example", CallerReference="1")
        certificate = client("acm").request_certificate(DomainName="api.chat.example")
        parameters |= {
            "AlarmTopicArn": client("sns").create_topic(Name="alarms")["TopicArn"],
            "CertificateArn": certificate["CertificateArn"],
            "DomainName": "api.chat.example",
            "HostedZoneId": zone["HostedZone"]["Id"].removeprefix("/hostedzone/"),
            "ReservedConcurrency": "5",
            "Tracing": "Active",
        }
        outputs = deploy_stack(client, "update", binaries, parameters)
        assert outputs["ApiUrl"] == "https://api.chat.example", outputs["ApiUrl"]
        assert outputs["DomainTarget"], outputs
    finally:
        process.terminate()
        process.wait()


main()
