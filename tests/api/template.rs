//! template.yaml: its functions, routes and documents must match the repository, and its settings each other.

use std::{collections::BTreeSet, fs, time::Duration};

use local::{Template, tools};
use serde_json::{Value, json};
use shared::dynamodb::OPERATION_TIMEOUT;

use crate::support::{ENDPOINTS, Endpoint, functions, text};

fn read_template() -> Template {
    Template::read(&tools::workspace().join("template.yaml"), &[]).expect("the template is valid")
}

#[test]
fn the_functions_of_the_template_are_those_of_the_tests() {
    let found: BTreeSet<_> = read_template()
        .functions()
        .expect("the functions are valid")
        .into_iter()
        .map(|function| function.binary)
        .collect();
    let expected: BTreeSet<_> = functions().into_iter().map(str::to_owned).collect();
    assert_eq!(found, expected, "see tests/api/support.rs");
}

/// Returns the key of an endpoint's route, as the template and API Gateway write it.
fn route_key(endpoint: Endpoint) -> String {
    format!("{} {}", endpoint.method, endpoint.path)
}

/// The route of browsers' preflights.
const OPTIONS_ROUTE: &str = "OPTIONS /{proxy+}";

#[test]
fn each_endpoint_has_one_route_and_the_fallback_all_others() {
    let mut expected = BTreeSet::from(ENDPOINTS.map(route_key));
    expected.extend(["$default", OPTIONS_ROUTE].map(str::to_owned));
    let mut routes = BTreeSet::new();
    for function in read_template()
        .functions()
        .expect("the functions are valid")
    {
        for route in function.routes {
            assert!(routes.insert(route.key()), "{} is there twice", route.key());
        }
    }
    assert_eq!(routes, expected, "see tests/api/support.rs");
}

#[test]
fn the_logical_id_of_a_function_is_the_name_of_its_binary() {
    let template = read_template();
    let resources = template.json()["Resources"].as_object().expect("resources");
    let functions = resources
        .iter()
        .filter(|(_, r)| r["Type"] == "AWS::Serverless::Function");
    for (id, function) in functions {
        let binary = function["Metadata"]["BuildProperties"]["Binary"]
            .as_str()
            .expect("`Binary` is a string");
        let capitalized = binary
            .split('-')
            .map(|word| word[..1].to_uppercase() + &word[1..]);
        assert_eq!(*id, capitalized.collect::<String>() + "Function");
    }
}

#[test]
fn tables_are_on_demand_recoverable_protected_encrypted_and_retained() {
    let template = read_template();
    let resources = template.json()["Resources"].as_object().expect("resources");
    let tables: Vec<_> = resources
        .values()
        .filter(|r| r["Type"] == "AWS::DynamoDB::Table")
        .collect();
    assert_eq!(tables.len(), 4);
    for table in tables {
        let properties = &table["Properties"];
        assert_eq!(table["DeletionPolicy"], "Retain");
        assert_eq!(table["UpdateReplacePolicy"], "Retain");
        assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST");
        assert_eq!(properties["DeletionProtectionEnabled"], true);
        assert_eq!(properties["SSESpecification"]["SSEEnabled"], true);
        assert_eq!(
            properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"],
            true
        );
    }
}

#[test]
fn no_permission_has_a_wildcard() {
    let template = read_template();
    let resources = template.json()["Resources"].as_object().expect("resources");
    let mut actions = 0;
    for (id, function) in resources
        .iter()
        .filter(|(_, r)| r["Type"] == "AWS::Serverless::Function")
    {
        let policies = function["Properties"]["Policies"].as_array();
        for policy in policies.into_iter().flatten() {
            assert!(!policy.to_string().contains('*'), "{id}: {policy}");
            actions += policy["Statement"].as_array().expect("statements").len();
        }
    }
    assert!(actions > 5, "the policies are found");
}

/// Returns the properties of all resources of a type, by their logical ids.
fn resources<'a>(
    template: &'a Template,
    kind: &'a str,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let resources = template.json()["Resources"].as_object().expect("resources");
    let of_kind = resources.iter().filter(move |(_, r)| r["Type"] == kind);
    of_kind.map(|(id, resource)| (id.as_str(), &resource["Properties"]))
}

/// Returns the properties of the only resource of a type.
fn only_resource<'a>(template: &'a Template, kind: &'a str) -> &'a Value {
    let mut found = resources(template, kind);
    let (_, resource) = found.next().expect(kind);
    assert_eq!(found.next(), None, "there is one {kind}");
    resource
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array()
        .expect("an array")
        .iter()
        .map(text)
        .collect()
}

#[test]
fn every_alarm_notifies_and_is_in_the_runbook() {
    let template = read_template();
    let runbook = fs::read_to_string(tools::workspace().join("docs/operations.md"));
    let runbook = runbook.expect("the runbook is read");
    let mut alarms = 0;
    for (id, alarm) in resources(&template, "AWS::CloudWatch::Alarm") {
        let name = text(&alarm["AlarmName"]["Fn::Sub"]);
        let in_runbook = name.replace("${AWS::StackName}", "STACK");
        assert!(runbook.contains(&format!("| `{in_runbook}` |")), "{id}");
        assert!(
            text(&alarm["AlarmDescription"]).contains("docs/operations.md"),
            "{id}"
        );
        let topic = json!({ "Fn::If": ["HasAlarmTopic", [{ "Ref": "AlarmTopicArn" }], { "Ref": "AWS::NoValue" }] });
        assert_eq!(alarm["AlarmActions"], topic, "{id}");
        assert_eq!(alarm["OKActions"], topic, "{id}");
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{id}");
        alarms += 1;
    }
    assert_eq!(alarms, 9);
}

#[test]
fn a_deployment_is_rolled_back_by_alarms_that_a_bad_version_causes_and_only_if_the_parameter_says_so()
 {
    let template = read_template();
    let preference = &template.json()["Globals"]["Function"]["DeploymentPreference"];
    let choice = preference["Alarms"]["Fn::If"]
        .as_array()
        .expect("a condition");
    assert_eq!(choice[0], "RollsBackOnAlarms");
    assert_eq!(choice[2], json!([{ "Ref": "AWS::NoValue" }]));
    let alarms = choice[1].as_array().expect("alarms");
    let rolling_back: BTreeSet<_> = alarms.iter().map(|name| text(&name["Fn::Sub"])).collect();
    let expected = [
        "ServerErrorsAlarm",
        "LatencyAlarm",
        "FunctionErrorsAlarm",
        "FunctionThrottlesAlarm",
    ];
    let name_of =
        |id: &str| text(&template.json()["Resources"][id]["Properties"]["AlarmName"]["Fn::Sub"]);
    assert_eq!(rolling_back, expected.map(name_of).into());
    // A bad version is found before all traffic moves to it: three bad minutes of five, and as long again until the
    // metrics arrive and the alarm reacts.
    let minutes = |alarm: &str, name: &str| {
        template.json()["Resources"][alarm]["Properties"][name]
            .as_u64()
            .expect(name)
    };
    let slowest = expected
        .map(|alarm| minutes(alarm, "EvaluationPeriods"))
        .into_iter()
        .max();
    let default = text(&template.json()["Parameters"]["DeploymentPreference"]["Default"]);
    let canary: u64 = default
        .strip_prefix("Canary10Percent")
        .and_then(|rest| rest.strip_suffix("Minutes"))
        .and_then(|minutes| minutes.parse().ok())
        .expect("a canary is the default");
    assert!(canary >= 2 * slowest.expect("an alarm"), "{canary} minutes");
}

#[test]
fn conditions_compare_their_parameter() {
    let template = read_template();
    let conditions = &template.json()["Conditions"];
    let equals =
        |parameter: &str, value: &str| json!({ "Fn::Equals": [{ "Ref": parameter }, value] });
    for (condition, parameter) in [
        ("HasAlarmTopic", "AlarmTopicArn"),
        ("HasAllowedOrigins", "AllowedOrigins"),
        ("HasDomain", "DomainName"),
        ("HasReservedConcurrency", "ReservedConcurrency"),
    ] {
        assert_eq!(
            conditions[condition],
            json!({ "Fn::Not": [equals(parameter, "")] }),
            "{condition}"
        );
    }
    assert_eq!(
        conditions["RollsBackOnAlarms"],
        equals("RollBackOnAlarms", "true")
    );
}

#[test]
fn the_alarm_on_throttled_requests_watches_the_metric_of_the_access_log() {
    let template = read_template();
    let resource = |id: &str| template.json()["Resources"][id]["Properties"].clone();
    let filter = resource("ThrottledRequestsFilter");
    assert_eq!(filter["LogGroupName"], json!({ "Ref": "AccessLogGroup" }));
    // The names are those of the access log, whose values are all strings.
    assert_eq!(
        filter["FilterPattern"],
        r#"{ $.status = "429" && $.route != "$default" }"#
    );
    let format = text(&resource("GroupsApi")["AccessLogSettings"]["Format"]);
    let format: Value = serde_json::from_str(&format).expect("JSON");
    assert_eq!(
        (&format["status"], &format["route"]),
        (&json!("$context.status"), &json!("$context.routeKey"))
    );
    let metric = &filter["MetricTransformations"][0];
    let alarm = resource("ThrottledRequestsAlarm");
    assert_eq!(alarm["MetricName"], metric["MetricName"]);
    assert_eq!(alarm["Namespace"], metric["MetricNamespace"]);
}

/// The dimension of a metric, by the names that AWS documents for each namespace.
fn dimension_of(namespace: &str) -> &'static str {
    match namespace {
        "AWS/ApiGateway" => "ApiId",
        "AWS/EventBridge/Pipes" => "PipeName",
        "AWS/Lambda" => "FunctionName",
        "AWS/SQS" => "QueueName",
        other => panic!("{other}: add the dimension of its metrics"),
    }
}

#[test]
fn every_alarm_watches_a_metric_with_the_dimension_of_its_service() {
    let template = read_template();
    let mut metrics = 0;
    for (id, alarm) in resources(&template, "AWS::CloudWatch::Alarm") {
        let of_expression = alarm["Metrics"].as_array().into_iter().flatten();
        let of_expression = of_expression.map(|metric| &metric["MetricStat"]["Metric"]);
        for metric in of_expression.chain([alarm]) {
            // An expression has no metric, and our own namespace no dimension here.
            if let Some(namespace) = metric["Namespace"].as_str() {
                let dimensions = metric["Dimensions"].as_array().expect(id);
                assert_eq!(dimensions[0]["Name"], dimension_of(namespace), "{id}");
                metrics += 1;
            }
        }
        assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold", "{id}");
    }
    assert!(metrics > 20, "{metrics}");
    for (alarm, name) in [
        ("FunctionErrorsAlarm", "Errors"),
        ("FunctionThrottlesAlarm", "Throttles"),
    ] {
        let metrics = &template.json()["Resources"][alarm]["Properties"]["Metrics"];
        for metric in metrics.as_array().expect("metrics").iter().skip(1) {
            assert_eq!(
                metric["MetricStat"]["Metric"]["MetricName"], name,
                "{alarm}"
            );
        }
    }
}

#[test]
fn the_latency_alarm_needs_a_minimum_of_requests() {
    let template = read_template();
    let alarm = &template.json()["Resources"]["LatencyAlarm"]["Properties"];
    assert_eq!(
        alarm["Metrics"][0]["Expression"],
        "IF(requests >= 20, p99, 0)"
    );
    for property in ["ExtendedStatistic", "EvaluateLowSampleCountPercentile"] {
        assert!(
            alarm[property].is_null(),
            "CloudWatch would ignore few samples"
        );
    }
}

#[test]
fn a_gradual_deployment_needs_a_topic_for_its_alarms() {
    let template = read_template();
    let rule = &template.json()["Rules"]["GradualDeploymentNeedsTopic"];
    let not_equals = |parameter: &str, value: &str| json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, value] }] });
    assert_eq!(
        rule["RuleCondition"],
        not_equals("DeploymentPreference", "AllAtOnce")
    );
    assert_eq!(
        rule["Assertions"][0]["Assert"],
        not_equals("AlarmTopicArn", "")
    );
}

#[test]
fn the_dashboard_is_json_and_shows_every_alarm_and_every_table() {
    let template = read_template();
    let dashboard = only_resource(&template, "AWS::CloudWatch::Dashboard");
    let body = text(&dashboard["DashboardBody"]["Fn::Sub"]);
    let widgets: Value = serde_json::from_str(&body).expect("JSON");
    assert!(widgets["widgets"].as_array().expect("widgets").len() > 10);
    for (id, _) in resources(&template, "AWS::CloudWatch::Alarm") {
        assert!(body.contains(&format!("\"${{{id}.Arn}}\"")), "{id}");
    }
    for kind in ["AWS::DynamoDB::Table", "AWS::Serverless::Function"] {
        for (id, _) in resources(&template, kind) {
            assert!(body.contains(&format!("\"${{{id}}}\"")), "{id}");
        }
    }
}

#[test]
fn each_time_out_is_longer_than_those_inside_it() {
    let template = read_template();
    let timeout = template.json()["Globals"]["Function"]["Timeout"].as_u64();
    let timeout = Duration::from_secs(timeout.expect("`Timeout` is a number"));
    // A function looks the token up and then sends one request.
    assert!(OPERATION_TIMEOUT * 2 < timeout);
    let mut routes = 0;
    for (id, function) in resources(&template, "AWS::Serverless::Function") {
        for (_, event) in function["Events"].as_object().into_iter().flatten() {
            if event["Type"] == "HttpApi" {
                let is_default = function["Timeout"].is_null();
                assert!(is_default, "{id} has the time-out of `Globals`");
                let millis = event["Properties"]["TimeoutInMillis"].as_u64();
                let of_route = Duration::from_millis(millis.expect("a number"));
                assert!(
                    timeout < of_route && of_route <= Duration::from_secs(30),
                    "{id}"
                );
                routes += 1;
            }
        }
    }
    // `$default` and OPTIONS are the fallback's.
    assert_eq!(routes, ENDPOINTS.len() + 2);
}

#[test]
fn every_route_has_its_own_throttling_limit() {
    let template = read_template();
    let api = only_resource(&template, "AWS::Serverless::HttpApi");
    let settings = api["RouteSettings"]
        .as_object()
        .expect("`RouteSettings` is an object");
    let throttled: BTreeSet<_> = settings.keys().cloned().collect();
    let mut expected = BTreeSet::from(ENDPOINTS.map(route_key));
    expected.insert(OPTIONS_ROUTE.to_owned());
    assert_eq!(throttled, expected);
    for (route, settings) in settings {
        let limit = if route.starts_with("GET") || route == OPTIONS_ROUTE {
            "ReadsPerSecond"
        } else {
            "WritesPerSecond"
        };
        assert_eq!(settings["ThrottlingRateLimit"]["Ref"], limit, "{route}");
        assert_eq!(settings["ThrottlingBurstLimit"]["Ref"], limit, "{route}");
    }
    assert!(api["DefaultRouteSettings"]["ThrottlingRateLimit"].is_u64());
}

#[test]
fn the_access_log_is_json_and_has_neither_headers_nor_queries_nor_addresses() {
    let template = read_template();
    let api = only_resource(&template, "AWS::Serverless::HttpApi");
    let format = text(&api["AccessLogSettings"]["Format"]);
    let format: Value = serde_json::from_str(&format).expect("JSON");
    let logged: BTreeSet<_> = format
        .as_object()
        .expect("an object")
        .values()
        .map(text)
        .collect();
    let wanted = [
        "$context.error.message",
        "$context.integrationErrorMessage",
        "$context.integrationLatency",
        "$context.integrationStatus",
        "$context.requestId",
        "$context.requestTime",
        "$context.responseLatency",
        "$context.responseLength",
        "$context.routeKey",
        "$context.status",
    ];
    assert_eq!(logged, wanted.map(str::to_owned).into());
}

#[test]
fn cors_is_off_without_origins_and_otherwise_allows_the_whole_api() {
    let template = read_template();
    let api = only_resource(&template, "AWS::Serverless::HttpApi");
    let cors = &api["CorsConfiguration"]["Fn::If"];
    assert_eq!(
        template.json()["Parameters"]["AllowedOrigins"]["Default"],
        ""
    );
    assert_eq!(
        (&cors[0], &cors[2]),
        (
            &json!("HasAllowedOrigins"),
            &json!({ "Ref": "AWS::NoValue" })
        )
    );
    assert_eq!(
        texts(&cors[1]["AllowMethods"]),
        ENDPOINTS.map(|endpoint| endpoint.method.to_owned()).into()
    );
    // These are the headers in openapi.yaml, except those that CORS always allows.
    let openapi = local::template::read_yaml(&tools::workspace().join("openapi.yaml"));
    let openapi = openapi.expect("openapi.yaml is valid");
    let (mut sent, mut received) = (BTreeSet::new(), BTreeSet::new());
    collect_headers(&openapi, &mut sent, &mut received);
    sent.extend(["authorization", "content-type"].map(str::to_owned));
    received.remove("cache-control");
    assert_eq!(texts(&cors[1]["AllowHeaders"]), sent);
    assert_eq!(texts(&cors[1]["ExposeHeaders"]), received);
}

/// Collects the headers of requests and of responses in lower case.
fn collect_headers(part: &Value, sent: &mut BTreeSet<String>, received: &mut BTreeSet<String>) {
    if part["in"] == "header" {
        sent.insert(text(&part["name"]).to_lowercase());
    }
    for (name, value) in part.as_object().into_iter().flatten() {
        // The headers of a response, not the components that it refers to.
        if name == "headers" && part["description"].is_string() {
            let names = value.as_object().expect("headers").keys();
            received.extend(names.map(|name| name.to_lowercase()));
        }
        collect_headers(value, sent, received);
    }
    for value in part.as_array().into_iter().flatten() {
        collect_headers(value, sent, received);
    }
}

#[test]
fn the_outputs_have_the_url_of_the_api_and_the_names_of_functions_and_tables() {
    let template = read_template();
    let outputs = template.json()["Outputs"].as_object().expect("outputs");
    assert!(outputs.contains_key("ApiUrl"));
    for (id, _) in resources(&template, "AWS::DynamoDB::Table") {
        assert_eq!(outputs[&format!("{id}Name")]["Value"], json!({ "Ref": id }));
    }
    for (id, _) in resources(&template, "AWS::Serverless::Function") {
        // Operators invoke the version that `live` points to. Without the alias, it would be `$LATEST`.
        let expected = if ["IssueTokenFunction", "RevokeTokenFunction"].contains(&id) {
            json!({ "Fn::Sub": format!("${{{id}}}:live") })
        } else {
            json!({ "Ref": id })
        };
        assert_eq!(outputs[&format!("{id}Name")]["Value"], expected);
    }
}

#[test]
fn log_groups_expire_and_those_that_aws_services_write_have_a_prefix_with_one_resource_policy() {
    let template = read_template();
    for (id, group) in resources(&template, "AWS::Logs::LogGroup") {
        assert_eq!(group["RetentionInDays"]["Ref"], "LogRetentionDays", "{id}");
        let name = text(&group["LogGroupName"]["Fn::Sub"]);
        assert_eq!(
            name.starts_with("/aws/vendedlogs/"),
            id != "FunctionsLogGroup",
            "{id}"
        );
    }
}

#[test]
fn the_purge_has_the_permissions_that_aws_documents_and_no_others() {
    let template = read_template();
    let json = template.json();
    let statements = |policy: &Value| -> BTreeSet<String> {
        let statements = policy["Statement"].as_array().expect("statements");
        let actions = statements
            .iter()
            .flat_map(|statement| match &statement["Action"] {
                Value::Array(actions) => actions.iter().map(text).collect(),
                action => vec![text(action)],
            });
        actions.collect()
    };
    let purge = &json["Resources"]["PurgeMessagesFunction"]["Properties"]["Policies"][0];
    // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    let expected = [
        "dynamodb:BatchWriteItem",
        "dynamodb:Query",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    ];
    assert_eq!(statements(purge), expected.map(str::to_owned).into());
    let role = &json["Resources"]["PurgePipeRole"]["Properties"]["Policies"][0];
    // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-permissions.html
    let expected = [
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "sqs:SendMessage",
    ];
    let found = statements(&role["PolicyDocument"]);
    assert_eq!(found, expected.map(str::to_owned).into());
}

#[test]
fn the_delays_and_retention_periods_of_the_purge_fit_together() {
    let template = read_template();
    let properties = |id: &str| template.json()["Resources"][id]["Properties"].clone();
    let number = |value: &Value| {
        value
            .as_u64()
            .unwrap_or_else(|| panic!("not a number: {value}"))
    };
    let queue = properties("PurgeQueue");
    let visibility = number(&queue["VisibilityTimeout"]);
    let timeout = number(&properties("PurgeMessagesFunction")["Timeout"]);
    assert!(visibility >= 6 * timeout, "as AWS recommends");
    let receives = number(&queue["RedrivePolicy"]["maxReceiveCount"]);
    let retention = number(&queue["MessageRetentionPeriod"]);
    let days = 24 * 60 * 60;
    assert!(
        (3 * days..7 * days).contains(&(receives * visibility)),
        "failures of several days are survived"
    );
    let left = number(&properties("PurgeFailuresQueue")["MessageRetentionPeriod"]);
    assert!(
        left >= retention && left - receives * visibility > 7 * days,
        "operators have a week"
    );
    let stream = &properties("PurgePipe")["SourceParameters"]["DynamoDBStreamParameters"];
    assert_eq!(stream["MaximumRetryAttempts"], -1);
    // One record that cannot be sent neither stops the others nor is lost.
    assert_eq!(stream["OnPartialBatchItemFailure"], "AUTOMATIC_BISECT");
    let failures = &stream["DeadLetterConfig"]["Arn"]["Fn::GetAtt"];
    assert_eq!(failures, "PurgePipeFailuresQueue.Arn");
    assert!(
        number(&stream["MaximumRecordAgeInSeconds"]) < days,
        "the stream keeps records longer"
    );
    let delay = &template.json()["Parameters"]["PurgeDelaySeconds"];
    assert!(
        number(&delay["MaxValue"]) < 60,
        "the first messages are deleted within a minute"
    );
    // The alarm is raised after the second attempt has failed and before the third begins.
    let age = number(&properties("PurgeAgeAlarm")["Threshold"]);
    let delay = number(&delay["MaxValue"]);
    assert!((delay + visibility + timeout..delay + 2 * visibility).contains(&age));
    let unfinished = properties("PurgeUnfinishedAlarm");
    assert_eq!(unfinished["MetricName"], "purges_unfinished");
    assert_eq!(unfinished["Dimensions"][0]["Value"], "purge-messages");
    assert!(
        number(&unfinished["Period"]) > visibility + timeout,
        "each period has an attempt"
    );
}

#[test]
fn each_function_that_callers_or_the_queue_reach_is_in_both_alarms_and_all_lists_of_the_dashboard()
{
    let template = read_template();
    let dashboard = only_resource(&template, "AWS::CloudWatch::Dashboard").to_string();
    for (id, function) in resources(&template, "AWS::Serverless::Function") {
        // Instances, errors and throttles.
        let lists = dashboard.matches(&format!("${{{id}}}")).count();
        assert!(
            lists >= 3,
            "template.yaml: {id} is in {lists} of the dashboard's 3 lists"
        );
        if function["Events"].is_null() && id != "PurgeMessagesFunction" {
            continue;
        }
        for alarm in ["FunctionErrorsAlarm", "FunctionThrottlesAlarm"] {
            let metrics = template.json()["Resources"][alarm]["Properties"]["Metrics"].to_string();
            let dimension = json!({ "Ref": id }).to_string();
            assert!(
                metrics.contains(&dimension),
                "template.yaml: {alarm} lacks {id}"
            );
        }
    }
}

#[test]
fn each_function_of_the_template_is_a_binary_of_cargo_toml() {
    let manifest = fs::read_to_string(tools::workspace().join("Cargo.toml")).expect("Cargo.toml");
    for function in read_template().functions().expect("the functions are read") {
        let name = format!("name = \"{}\"", function.binary);
        assert!(
            manifest.contains(&name),
            "Cargo.toml has no [[bin]] for {}",
            function.binary
        );
    }
}
