//! Parameters and errors of the template, and changes of it while the stack runs.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use local::{Options, Stack, Template};
use serde_json::json;

use crate::{http::get, kill_instances, options, stack};

fn read_template(parameters: &[(&str, &str)]) -> local::Result<Template> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Template::read(
        &options("").template,
        &parameters.iter().map(owned).collect::<Vec<_>>(),
    )
}

#[test]
fn a_parameter_must_exist_and_have_an_allowed_value() {
    for good in [
        ("Color", "blue"),
        ("Limit", "7"),
        ("Limit", "1"),
        ("Name", "abc"),
        ("AllowedOrigins", ""),
    ] {
        assert!(read_template(&[good]).is_ok(), "{good:?}");
    }
    for (parameter, wanted) in [
        (
            ("Colour", "blue"),
            "AllowedOrigins, Batches, Color, Limit, Name",
        ),
        (("Color", "green"), "red, blue"),
        (("Limit", "0"), "at least 1"),
        (("Limit", "many"), "at least 1"),
        (("Name", "Abc"), "^[a-z]+$"),
    ] {
        let error = read_template(&[parameter]).expect_err("it is rejected");
        let given = format!("--parameter {}={}", parameter.0, parameter.1);
        assert!(
            error.starts_with(&given) && error.contains(wanted),
            "{error}"
        );
    }
}

#[test]
fn a_template_that_is_not_yaml_is_an_error_with_line_and_column() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broken.yaml");
    fs::write(&path, "Resources:\n  a: b\n c: d\n").expect("the file is written");
    let error = Template::read(&path, &[]).expect_err("it is rejected");
    assert!(
        error.contains("broken.yaml") && error.contains("line 3 column"),
        "{error}"
    );
    fs::write(&path, "a: b\n").expect("the file is written");
    let error = Template::read(&path, &[]).expect_err("it is rejected");
    assert!(error.contains("`Resources`"), "{error}");
}

#[test]
fn a_reload_reads_the_template_again_and_a_failed_reload_changes_nothing() {
    let original = fs::read_to_string(options("").template).expect("the template is read");
    let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reloaded.yaml");
    fs::write(&template, &original).expect("the file is written");
    let parameters = vec![("Color".to_owned(), "blue".to_owned())];
    let options = Options {
        template: template.clone(),
        parameters,
        ..options("reload")
    };
    let stack = Stack::start(options).expect("the stack starts");
    let read_variables = || get(&stack, "/echo", "variables").json();
    assert_eq!(read_variables()["HUE"], "cold");
    assert_eq!(get(&stack, "/new/7", "").json()["routeKey"], "$default");

    let route = "        Echo: {Type: HttpApi, Properties: {Method: ANY, Path: /echo}}\n";
    let added = "        New: {Type: HttpApi, Properties: {Method: GET, Path: \"/new/{id}\"}}\n";
    let changed = original
        .replace("COMMON: common", "COMMON: changed")
        .replace(route, &format!("{route}{added}"));
    fs::write(&template, &changed).expect("the file is written");
    assert_eq!(stack.reload(), Ok(None));
    assert_eq!(
        (&read_variables()["COMMON"], &read_variables()["HUE"]),
        (&"changed".into(), &"cold".into())
    );
    assert_eq!(
        get(&stack, "/new/7", "").json()["routeKey"],
        "GET /new/{id}"
    );

    for (broken, wanted) in [
        ("]".to_owned(), "line 1"),
        (
            changed.replace("COMMON: changed", "INIT: fail"),
            "init fails on purpose",
        ),
        (
            changed.replace("examples/probe", "no-such-binary"),
            "no-such-binary",
        ),
    ] {
        fs::write(&template, broken).expect("the file is written");
        let error = stack.reload().expect_err("it is rejected");
        assert!(error.contains(wanted), "{error}");
        assert_eq!(
            read_variables()["COMMON"],
            "changed",
            "the previous version still runs"
        );
    }
}

#[test]
fn a_function_that_does_not_start_is_an_error_that_contains_the_end_of_its_log() {
    let template = fs::read_to_string(options("").template).expect("the template is read");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("failing-init.yaml");
    fs::write(&path, template.replace("COMMON: common", "INIT: fail"))
        .expect("the file is written");
    let stack = Stack::start(Options {
        template: path,
        ..options("failing-init")
    });
    let error = stack.err().expect("the stack does not start");
    assert!(
        error.contains("examples/probe") && error.contains("init fails on purpose"),
        "{error}"
    );
}

#[test]
fn numbers_out_of_range_are_rejected() {
    let template = fs::read_to_string(options("").template).expect("the template is read");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("numbers.yaml");
    for (good, bad, wanted) in [
        (
            "BatchSize: 3",
            "BatchSize: 0",
            "ItemsEventSource: BatchSize: 0 is not allowed; it must be 1 to 10",
        ),
        (
            "BatchSize: 10",
            "BatchSize: 11",
            "ItemsPipe: BatchSize: 11 is not allowed; it must be 1 to 10",
        ),
        (
            "MaximumConcurrency: 2",
            "MaximumConcurrency: 1",
            "ItemsEventSource: MaximumConcurrency: 1 is",
        ),
        (
            "DelaySeconds: 2",
            "DelaySeconds: 901",
            "DelayedQueue: DelaySeconds: 901 is not allowed; it must be 0 to 900",
        ),
        (
            "VisibilityTimeout: 1",
            "VisibilityTimeout: 43201",
            "ItemsQueue: VisibilityTimeout: 43201 is",
        ),
        (
            "maxReceiveCount: 3",
            "maxReceiveCount: 1001",
            "ItemsQueue: maxReceiveCount: 1001 is",
        ),
        ("Timeout: 3", "Timeout: -5", "Timeout: -5"),
        ("Timeout: 3", "Timeout: abc", "Timeout: \"abc\""),
        ("MemorySize: 512", "MemorySize: 1", "MemorySize: 1"),
        (
            "TimeoutInMillis: 400",
            "TimeoutInMillis: 0",
            "TimeoutInMillis: 0",
        ),
    ] {
        assert!(template.contains(good));
        fs::write(&path, template.replacen(good, bad, 1)).expect("the file is written");
        let error = first_error(&path).expect(bad);
        assert!(error.contains(wanted), "{error}");
    }
}

/// Returns the first error of the template, other than a syntax error.
fn first_error(template: &Path) -> Option<String> {
    let template = Template::read(template, &[]).expect("the template is YAML");
    let in_functions = template.functions().err();
    in_functions
        .or(template.pipes().err())
        .or(template.queues().err())
        .or(template.event_sources().err())
}

#[test]
fn pipes_queues_and_mappings_that_are_not_supported_are_rejected() {
    let template = fs::read_to_string(options("").template).expect("the template is read");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unsupported.yaml");
    fs::write(&path, &template).expect("the file is written");
    assert_eq!(first_error(&path), None);
    for (good, bad, wanted) in [
        (
            "Source: !GetAtt ItemsTable.StreamArn",
            "Source: !GetAtt DelayedQueue.Arn",
            "ItemsPipe: Source must be the stream of a table",
        ),
        (
            "Target: !GetAtt ItemsQueue.Arn",
            "Target: !GetAtt ProbeFunction.Arn",
            "ItemsPipe: Target must be the ARN of a queue",
        ),
        (
            "[{\"exists\": false}]",
            "[{\"numeric\": [\">\", 1]}]",
            "ItemsPipe: FilterCriteria",
        ),
        (
            "<$.dynamodb.NewImage.id.S>",
            "<aws.pipes.event>",
            "ItemsPipe: InputTemplate",
        ),
        (
            "EventSourceArn: !GetAtt ItemsQueue.Arn",
            "EventSourceArn: !GetAtt ItemsTable.StreamArn",
            "ItemsEventSource: EventSourceArn must be the ARN of a queue",
        ),
        (
            "FunctionName: !Ref ProbeFunction.Alias",
            "FunctionName: probe",
            "ItemsEventSource: FunctionName",
        ),
        (
            "ScalingConfig: {MaximumConcurrency: 2}",
            "FilterCriteria: {Filters: []}",
            "ItemsEventSource: FilterCriteria",
        ),
        (
            "deadLetterTargetArn: !GetAtt FailuresQueue.Arn",
            "deadLetterTargetArn: !GetAtt NoQueue.Arn",
            "ItemsQueue: deadLetterTargetArn must be the ARN of a queue",
        ),
        (
            "{DelaySeconds: 2}",
            "{FifoQueue: true}",
            "DelayedQueue: FIFO",
        ),
    ] {
        assert!(template.contains(good), "{good}");
        fs::write(&path, template.replacen(good, bad, 1)).expect("the file is written");
        let error = first_error(&path).expect(bad);
        assert!(error.starts_with(wanted), "{error}");
    }
}

#[test]
fn after_a_failed_reload_new_instances_still_run_the_previous_version() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("versions");
    fs::create_dir_all(dir.join("examples")).expect("the directory is created");
    let binary = dir.join("examples/probe");
    let _ = fs::remove_file(&binary);
    fs::copy(options("").binaries.join("examples/probe"), &binary).expect("the binary is copied");
    let stack = Stack::start(Options {
        binaries: dir.clone(),
        ..options("versions")
    })
    .expect("the stack starts");
    // A build, too, replaces the file instead of writing to it.
    fs::write(dir.join("new"), "#!/bin/sh\nexit 3\n").expect("the file is written");
    fs::set_permissions(dir.join("new"), fs::Permissions::from_mode(0o755))
        .expect("the file is executable");
    fs::rename(dir.join("new"), &binary).expect("the binary is replaced");
    stack.reload().expect_err("the new version does not start");
    kill_instances(&stack);
    assert_eq!(get(&stack, "/echo", "").status, 200);
}

#[test]
fn a_request_without_permission_is_an_error_that_names_permission_and_function() {
    let scan = json!({ "TableName": "ItemsTable" });
    let error = stack()
        .dynamodb_of("examples/probe")
        .call("Scan", &scan)
        .expect_err("it is rejected");
    let wanted = "examples/probe is not authorized to perform dynamodb:Scan on ItemsTable; see the policies of \
                  examples/probe in template.yaml, function ProbeFunction";
    assert!(
        error.contains("AccessDeniedException") && error.contains(wanted),
        "{error}"
    );
    let unrestricted = stack().dynamodb().call("Scan", &scan);
    unrestricted.expect("only the function is restricted");
}
