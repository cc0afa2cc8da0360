//! The API of SQS, on the port of the gateway.

use serde_json::{Value, json};

use crate::{
    http::{Response, get, request},
    stack,
};

fn send_to(path: &str, operation: &str, headers: &[&str], input: &Value) -> Response {
    let target = format!("x-amz-target: AmazonSQS.{operation}");
    let headers = [&[target.as_str()], headers].concat();
    request(stack(), "POST", path, &headers, input.to_string())
}

/// Runs an operation that must succeed.
fn call(operation: &str, input: Value) -> Value {
    let response = send_to("/", operation, &[], &input);
    assert_eq!(response.status, 200, "{response:?}");
    let content_type = response.header("content-type");
    assert_eq!(content_type, ["application/x-amz-json-1.0"]);
    response.json()
}

fn queue_url(queue: &str) -> String {
    let port = stack().url().rsplit(':').next().expect("a port");
    format!("http://127.0.0.1:{port}/000000000000/{queue}")
}

#[test]
fn a_message_is_sent_received_and_deleted() {
    let queue = queue_url("RecordsQueue");
    let sent = call(
        "SendMessage",
        json!({ "QueueUrl": queue, "MessageBody": "hello" }),
    );
    assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    let receive = |mut input: Value| {
        input["QueueUrl"] = json!(queue);
        call("ReceiveMessage", input)
    };
    let first = receive(json!({ "VisibilityTimeout": 0 }));
    let message = &first["Messages"][0];
    assert_eq!(message["MessageId"], sent["MessageId"]);
    assert_eq!(message["Body"], "hello");
    assert_eq!(message["MD5OfBody"], sent["MD5OfMessageBody"]);
    assert!(
        message["Attributes"].is_null(),
        "attributes are returned only on demand"
    );
    // It is visible at once, and then invisible for 30 seconds.
    let names = json!({ "AttributeNames": ["ApproximateReceiveCount"], "MaxNumberOfMessages": 10 });
    let second = receive(names);
    let messages = second["Messages"].as_array().expect("messages");
    assert_eq!(messages.len(), 1);
    let attributes = json!({ "ApproximateReceiveCount": "2" });
    assert_eq!(messages[0]["Attributes"], attributes);
    assert_eq!(receive(json!({ "WaitTimeSeconds": 20 })), json!({}));

    let read_count = |name: &str| {
        let input = json!({ "QueueUrl": queue, "AttributeNames": [name] });
        call("GetQueueAttributes", input)["Attributes"][name].clone()
    };
    let delete = |message: &Value| {
        let handle = &message["ReceiptHandle"];
        let input = json!({ "QueueUrl": queue, "ReceiptHandle": handle });
        call("DeleteMessage", input);
    };
    delete(message);
    let not_visible = "ApproximateNumberOfMessagesNotVisible";
    assert_eq!(
        read_count(not_visible),
        "1",
        "a receipt handle becomes invalid with the next receive"
    );
    delete(&messages[0]);
    assert_eq!(read_count(not_visible), "0");

    let late = json!({ "QueueUrl": queue, "MessageBody": "late", "DelaySeconds": 900 });
    call("SendMessage", late);
    assert_eq!(read_count("ApproximateNumberOfMessagesDelayed"), "1");
    assert_eq!(read_count("ApproximateNumberOfMessages"), "0");
}

#[test]
fn queues_have_urls_and_attributes() {
    let output = call("GetQueueUrl", json!({ "QueueName": "ItemsQueue" }));
    assert_eq!(output["QueueUrl"], json!(queue_url("ItemsQueue")));
    let names = [
        "DelayedQueue",
        "FailuresQueue",
        "ItemsQueue",
        "RecordsQueue",
    ];
    assert_eq!(
        call("ListQueues", json!({}))["QueueUrls"],
        json!(names.map(queue_url))
    );
    let input = json!({ "QueueNamePrefix": "I" });
    assert_eq!(
        call("ListQueues", input)["QueueUrls"],
        json!([queue_url("ItemsQueue")])
    );
    let arn = |queue: &str| format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
    let input = json!({ "QueueUrl": queue_url("ItemsQueue"), "AttributeNames": ["All"] });
    let policy =
        json!({ "deadLetterTargetArn": arn("FailuresQueue"), "maxReceiveCount": 3 }).to_string();
    let wanted = json!({
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "DelaySeconds": "0",
        "QueueArn": arn("ItemsQueue"),
        "RedrivePolicy": policy,
        "VisibilityTimeout": "1",
    });
    assert_eq!(call("GetQueueAttributes", input)["Attributes"], wanted);
}

#[test]
fn errors_have_the_form_of_aws() {
    let queue = queue_url("ItemsQueue");
    let arn = "arn:aws:sqs:us-east-1:000000000000:ItemsQueue";
    for (operation, input, kind, wanted) in [
        (
            "ReceiveMessage",
            json!({ "QueueUrl": queue_url("NoQueue") }),
            "QueueDoesNotExist",
            "ItemsQueue",
        ),
        (
            "GetQueueUrl",
            json!({ "QueueName": "NoQueue" }),
            "QueueDoesNotExist",
            "ItemsQueue",
        ),
        (
            "PurgeQueue",
            json!({}),
            "UnsupportedOperation",
            "SendMessage",
        ),
        (
            "SendMessage",
            json!({ "QueueUrl": queue }),
            "MissingParameter",
            "MessageBody",
        ),
        (
            "ReceiveMessage",
            json!({ "QueueUrl": queue, "MaxNumberOfMessages": 11 }),
            "InvalidParameterValue",
            "between 1 and 10",
        ),
        (
            "StartMessageMoveTask",
            json!({ "SourceArn": "arn:aws:sqs:us-east-1:000000000000:NoQueue" }),
            "ResourceNotFoundException",
            "NoQueue",
        ),
        (
            "StartMessageMoveTask",
            json!({ "SourceArn": arn }),
            "InvalidParameterValue",
            "ItemsQueue",
        ),
    ] {
        let response = send_to("/", operation, &[], &input);
        assert_eq!(response.status, 400, "{response:?}");
        let error = response.json();
        assert_eq!(error["__type"], format!("com.amazonaws.sqs#{kind}"));
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(wanted), "{message}");
        let error = stack()
            .sqs(operation, &input)
            .expect_err("the operation fails");
        assert_eq!(error, format!("{kind}: {message}"));
    }
    let target = ["x-amz-target: AmazonSQS.ListQueues"];
    let response = request(stack(), "POST", "/", &target, "{");
    assert_eq!(response.status, 400, "{response:?}");
}

#[test]
fn requests_of_web_pages_are_rejected() {
    let origin = ["origin: https://a.example"];
    let response = send_to("/", "ListQueues", &origin, &json!({}));
    assert_eq!(response.status, 403, "{response:?}");
    assert_eq!(response.header("access-control-allow-origin"), [""; 0]);
}

#[test]
fn other_requests_are_passed_to_the_api() {
    let is_api = |response: Response| {
        let json = response.json();
        json["routeKey"].is_string()
    };
    let list = |path: &str| send_to(path, "ListQueues", &[], &json!({}));
    assert!(!is_api(list("/")) && !is_api(list("/000000000000/ItemsQueue")));
    for path in [
        "/echo",
        "/000000000000",
        "/000000000000/",
        "/000000000000/ItemsQueue/x",
        "/111111111111/ItemsQueue",
        "/000000000000/ItemsQueue/",
    ] {
        assert!(is_api(list(path)), "{path}");
    }
    assert!(is_api(get(stack(), "/", "")));
    assert!(is_api(request(stack(), "POST", "/", &[], "{}")));
    let target = ["x-amz-target: AmazonSQS.ListQueues"];
    assert!(is_api(request(stack(), "GET", "/", &target, "")));
    let target = ["x-amz-target: DynamoDB_20120810.ListTables"];
    assert!(is_api(request(stack(), "POST", "/", &target, "{}")));
}
