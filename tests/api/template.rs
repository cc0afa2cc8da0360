//! template.yaml against what is here: what the template names exists, and what exists it names.

use std::{collections::BTreeSet, fs, time::Duration};

use local::{Template, tools};
use serde_json::{Value, json};
use shared::dynamodb::OPERATION_TIMEOUT;

use crate::support::{ENDPOINTS, FUNCTIONS, text};

fn template() -> Template {
    Template::read(&tools::workspace().join("template.yaml"), &[])
        .expect("the template can be read")
}

#[test]
fn each_function_of_the_template_is_a_binary_and_the_other_way_round() {
    let mut binaries: Vec<_> = template()
        .functions()
        .expect("policies that are understood")
        .into_iter()
        .map(|function| function.binary)
        .collect();
    let mut expected = FUNCTIONS.to_vec();
    binaries.sort();
    expected.sort();
    assert_eq!(binaries, expected);
}

#[test]
fn each_endpoint_has_one_route_and_operators_functions_have_none() {
    let routes = template()
        .functions()
        .expect("policies that are understood")
        .into_iter()
        .flat_map(|function| function.routes);
    let (default, routes): (Vec<_>, Vec<_>) = routes.partition(local::template::Route::is_default);
    assert_eq!(default.len(), 1);
    let mut routes: Vec<_> = routes
        .into_iter()
        .map(|route| (route.method, route.path))
        .collect();
    let path = |path: &str| path.replace("L7cGNIBKZiNJ6wqF", "{id}");
    let mut expected = ENDPOINTS.map(|(method, example)| (method.to_owned(), path(example)));
    routes.sort();
    expected.sort();
    assert_eq!(routes, expected);
}

#[test]
fn a_functions_name_in_the_template_is_its_binarys() {
    let template = template();
    let resources = template.json()["Resources"].as_object().expect("resources");
    let functions = resources
        .iter()
        .filter(|(_, r)| r["Type"] == "AWS::Serverless::Function");
    for (id, function) in functions {
        let binary = function["Metadata"]["BuildProperties"]["Binary"]
            .as_str()
            .expect("a binary");
        let capitalized = binary
            .split('-')
            .map(|word| word[..1].to_uppercase() + &word[1..]);
        assert_eq!(*id, capitalized.collect::<String>() + "Function");
    }
}

#[test]
fn tables_are_on_demand_recoverable_protected_encrypted_and_outlive_the_stack() {
    let template = template();
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
    let template = template();
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
    assert!(actions > 5, "they were found");
}

/// The resources of a type, by their logical ids.
fn resources<'a>(
    template: &'a Template,
    kind: &'a str,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let resources = template.json()["Resources"].as_object().expect("resources");
    let of_kind = resources.iter().filter(move |(_, r)| r["Type"] == kind);
    of_kind.map(|(id, resource)| (id.as_str(), &resource["Properties"]))
}

/// The one resource of a type.
fn resource<'a>(template: &'a Template, kind: &'a str) -> &'a Value {
    let mut found = resources(template, kind);
    let (_, resource) = found.next().expect(kind);
    assert_eq!(found.next(), None, "one {kind}");
    resource
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().expect("a list").iter().map(text).collect()
}

#[test]
fn every_alarm_notifies_rolls_a_deployment_back_and_is_in_the_runbook() {
    let template = template();
    let runbook = fs::read_to_string(tools::workspace().join("docs/operations.md")).expect("it");
    let preference = &template.json()["Globals"]["Function"]["DeploymentPreference"];
    let alarms = preference["Alarms"].as_array().expect("alarms");
    let rolling_back: BTreeSet<_> = alarms.iter().map(|name| text(&name["Fn::Sub"])).collect();
    let mut names = BTreeSet::new();
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
        names.insert(name);
    }
    assert_eq!(names.len(), 7);
    assert_eq!(names, rolling_back);
}

#[test]
fn the_dashboard_is_json_and_shows_every_alarm_and_every_table() {
    let template = template();
    let dashboard = resource(&template, "AWS::CloudWatch::Dashboard");
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
fn timeouts_nest() {
    let template = template();
    let timeout = template.json()["Globals"]["Function"]["Timeout"].as_u64();
    let timeout = Duration::from_secs(timeout.expect("a time-out"));
    // The token's look-up and the request's own.
    assert!(OPERATION_TIMEOUT * 2 < timeout);
    let mut routes = 0;
    for (id, function) in resources(&template, "AWS::Serverless::Function") {
        for event in function["Events"].as_object().into_iter().flatten() {
            if event.1["Type"] == "HttpApi" {
                assert_eq!(function["Timeout"], Value::Null, "{id} has that of all");
                let api = event.1["Properties"]["TimeoutInMillis"].as_u64();
                let api = Duration::from_millis(api.expect("a time-out"));
                assert!(timeout < api && api <= Duration::from_secs(30), "{id}");
                routes += 1;
            }
        }
    }
    assert_eq!(routes, ENDPOINTS.len() + 1);
}

#[test]
fn every_route_is_throttled_by_itself() {
    let template = template();
    let api = resource(&template, "AWS::Serverless::HttpApi");
    let settings = api["RouteSettings"].as_object().expect("settings");
    let throttled: BTreeSet<_> = settings.keys().cloned().collect();
    let route = |(method, path): (&str, &str)| {
        format!("{method} {}", path.replace("L7cGNIBKZiNJ6wqF", "{id}"))
    };
    assert_eq!(throttled, ENDPOINTS.map(route).into());
    for (route, settings) in settings {
        let limit = if route.starts_with("GET") {
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
    let template = template();
    let api = resource(&template, "AWS::Serverless::HttpApi");
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
fn cors_is_off_without_origins_and_else_lets_a_page_use_all_of_the_api() {
    let template = template();
    let api = resource(&template, "AWS::Serverless::HttpApi");
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
        ENDPOINTS.map(|(method, _)| method.to_owned()).into()
    );
    // The headers of openapi.yaml, except those that CORS always allows.
    let openapi = local::template::read_yaml(&tools::workspace().join("openapi.yaml"));
    let openapi = openapi.expect("openapi.yaml can be read");
    let (mut sent, mut answered) = (BTreeSet::new(), BTreeSet::new());
    headers(&openapi, &mut sent, &mut answered);
    sent.extend(["authorization", "content-type"].map(str::to_owned));
    answered.remove("cache-control");
    assert_eq!(texts(&cors[1]["AllowHeaders"]), sent);
    assert_eq!(texts(&cors[1]["ExposeHeaders"]), answered);
}

/// Collects the headers of requests and of answers, in lower case.
fn headers(part: &Value, sent: &mut BTreeSet<String>, answered: &mut BTreeSet<String>) {
    if part["in"] == "header" {
        sent.insert(text(&part["name"]).to_lowercase());
    }
    for (name, value) in part.as_object().into_iter().flatten() {
        // Those of an answer, and not the components that it refers to.
        if name == "headers" && part["description"].is_string() {
            let names = value.as_object().expect("headers").keys();
            answered.extend(names.map(|name| name.to_lowercase()));
        }
        headers(value, sent, answered);
    }
    for value in part.as_array().into_iter().flatten() {
        headers(value, sent, answered);
    }
}

#[test]
fn the_outputs_name_what_operators_and_pipelines_look_for() {
    let template = template();
    let outputs = template.json()["Outputs"].as_object().expect("outputs");
    assert!(outputs.contains_key("ApiUrl"));
    for kind in ["AWS::Serverless::Function", "AWS::DynamoDB::Table"] {
        for (id, _) in resources(&template, kind) {
            assert_eq!(outputs[&format!("{id}Name")]["Value"], json!({ "Ref": id }));
        }
    }
    for (id, group) in resources(&template, "AWS::Logs::LogGroup") {
        assert_eq!(group["RetentionInDays"]["Ref"], "LogRetentionDays", "{id}");
    }
}

#[test]
fn the_purge_has_the_permissions_that_aws_documents_and_no_others() {
    let template = template();
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
fn the_times_of_the_purge_fit_together() {
    let template = template();
    let properties = |id: &str| template.json()["Resources"][id]["Properties"].clone();
    let number = |value: &Value| {
        value
            .as_u64()
            .unwrap_or_else(|| panic!("a number: {value}"))
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
        "days of trouble"
    );
    let left = number(&properties("PurgeFailuresQueue")["MessageRetentionPeriod"]);
    assert!(
        left >= retention && left - receives * visibility > 7 * days,
        "a week to look"
    );
    let stream = &properties("PurgePipe")["SourceParameters"]["DynamoDBStreamParameters"];
    assert_eq!(stream["MaximumRetryAttempts"], -1);
    assert!(
        number(&stream["MaximumRecordAgeInSeconds"]) < days,
        "the stream keeps it longer"
    );
    let delay = &template.json()["Parameters"]["PurgeDelaySeconds"];
    assert!(
        number(&delay["MaxValue"]) < 60,
        "messages begin to go within a minute"
    );
    // The second attempt has failed, and the third has not begun.
    let age = number(&properties("PurgeAgeAlarm")["Threshold"]);
    let delay = number(&delay["MaxValue"]);
    assert!((delay + visibility + timeout..delay + 2 * visibility).contains(&age));
}
