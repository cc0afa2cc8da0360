//! [SQS's API](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html), in
//! its JSON protocol.

use std::time::Duration;

use hyper::{
    Method, StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderValue, ORIGIN},
    http::request::Parts,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Gateway, HttpResponse, noted, respond_json};
use crate::{
    queue::{self, ACCOUNT_ID, Message, Queues, md5_of},
    template::{items, members},
};

const OPERATIONS: [&str; 7] = [
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListQueues",
    "ReceiveMessage",
    "SendMessage",
    "StartMessageMoveTask",
];

/// An error of SQS: its type and its message.
pub(crate) type Refusal = (&'static str, String);

/// Returns the operation, if this is a request of SQS's API: a POST with the header `X-Amz-Target`, to the
/// endpoint or to a queue's URL.
pub(crate) fn operation(head: &Parts) -> Option<&str> {
    let mut path = head.uri.path().split('/').skip(1);
    let is_endpoint = match (path.next(), path.next(), path.next()) {
        (Some(""), None, None) => true,
        (Some(account), Some(queue), None) => account == ACCOUNT_ID && !queue.is_empty(),
        _ => false,
    };
    let target = head.headers.get("x-amz-target")?.to_str().ok()?;
    let operation = target.strip_prefix("AmazonSQS.")?;
    (head.method == Method::POST && is_endpoint).then_some(operation)
}

/// Responds to a request of SQS's API.
pub(crate) fn respond(
    gateway: &Gateway,
    operation: &str,
    head: &Parts,
    body: Option<Bytes>,
) -> HttpResponse {
    let input = body.and_then(|body| serde_json::from_slice(&body).ok());
    let (status, result) = match input {
        // The CORS configuration may let a browser send this request for any web page.
        _ if head.headers.contains_key(ORIGIN) => {
            let message = "a web page may not use queues".to_owned();
            (StatusCode::FORBIDDEN, Err(("AccessDenied", message)))
        }
        None => {
            let message = "the body must be JSON".to_owned();
            (StatusCode::BAD_REQUEST, Err(("InvalidRequest", message)))
        }
        Some(input) => {
            let result = call(gateway, operation, &input);
            let status = match result {
                Ok(_) => StatusCode::OK,
                Err(_) => StatusCode::BAD_REQUEST,
            };
            (status, result)
        }
    };
    let (body, error) = match result {
        Ok(output) => (output, None),
        Err((kind, message)) => {
            let error_type = format!("com.amazonaws.sqs#{kind}");
            let body = json!({ "__type": error_type, "message": message });
            (body, Some(message))
        }
    };
    let mut response = respond_json(status, body.to_string());
    let content_type = HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    noted(response, false, error)
}

/// Runs an operation.
///
/// # Errors
/// Returns an error if there is no such operation or queue, or if a parameter is missing or invalid.
pub(crate) fn call(gateway: &Gateway, operation: &str, input: &Value) -> Result<Value, Refusal> {
    let call = Call {
        queues: gateway.queues(),
        input,
    };
    let queues = call.queues;
    let url = |queue: &str| format!("http://127.0.0.1:{}/{ACCOUNT_ID}/{queue}", gateway.port);
    match operation {
        "SendMessage" => call.send(),
        "ReceiveMessage" => call.receive(),
        "DeleteMessage" => {
            let deleted = queues.delete(call.queue()?, call.string("ReceiptHandle")?);
            deleted.ok_or_else(|| call.no_queue())?;
            Ok(json!({}))
        }
        "GetQueueAttributes" => call.describe(),
        "GetQueueUrl" => {
            let name = call.string("QueueName")?;
            queues.describe(name).ok_or_else(|| call.no_queue())?;
            Ok(json!({ "QueueUrl": url(name) }))
        }
        "ListQueues" => {
            let prefix = input["QueueNamePrefix"].as_str().unwrap_or_default();
            let names = queues.names().into_iter();
            let urls = names.filter(|name| name.starts_with(prefix));
            Ok(json!({ "QueueUrls": urls.map(|name| url(&name)).collect::<Vec<_>>() }))
        }
        "StartMessageMoveTask" => call.redrive(),
        _ => {
            let message = format!(
                "{operation} is not supported here. There are: {}",
                OPERATIONS.join(", ")
            );
            Err(("UnsupportedOperation", message))
        }
    }
}

/// The input of an operation, and the queues that it works on.
struct Call<'a> {
    queues: &'a Queues,
    input: &'a Value,
}

impl<'a> Call<'a> {
    fn send(&self) -> Result<Value, Refusal> {
        let body = self.string("MessageBody")?;
        let delay = self.seconds("DelaySeconds", 900)?;
        let sent = self
            .queues
            .send(self.queue()?, vec![body.to_owned()], delay);
        let ids = sent.ok_or_else(|| self.no_queue())?;
        Ok(json!({ "MessageId": ids.first(), "MD5OfMessageBody": md5_of(body) }))
    }

    fn receive(&self) -> Result<Value, Refusal> {
        let limit = self.number("MaxNumberOfMessages", [1, 10])?.unwrap_or(1);
        let timeout = self.seconds("VisibilityTimeout", 43_200)?;
        let received = self.queues.receive(self.queue()?, limit as usize, timeout);
        let to_output = |message: Message| {
            let mut output = json!({
                "MessageId": message.id,
                "ReceiptHandle": message.receipt_handle,
                "MD5OfBody": md5_of(&message.body),
                "Body": message.body,
            });
            let lists = ["AttributeNames", "MessageSystemAttributeNames"];
            let wanted = selected(&message.attributes(), &lists.map(|name| &self.input[name]));
            if !wanted.is_empty() {
                output["Attributes"] = wanted.into();
            }
            output
        };
        let messages = received.ok_or_else(|| self.no_queue())?.into_iter();
        let outputs: Vec<_> = messages.map(to_output).collect();
        if outputs.is_empty() {
            return Ok(json!({}));
        }
        Ok(json!({ "Messages": outputs }))
    }

    fn describe(&self) -> Result<Value, Refusal> {
        let described = self.queues.describe(self.queue()?);
        let (queue, counts) = described.ok_or_else(|| self.no_queue())?;
        let mut attributes = json!({
            "ApproximateNumberOfMessages": counts.visible.to_string(),
            "ApproximateNumberOfMessagesDelayed": counts.delayed.to_string(),
            "ApproximateNumberOfMessagesNotVisible": counts.not_visible.to_string(),
            "DelaySeconds": queue.delay.as_secs().to_string(),
            "QueueArn": queue::arn(&queue.name),
            "VisibilityTimeout": queue.visibility_timeout.as_secs().to_string(),
        });
        if let Some(redrive) = queue.redrive {
            let policy = json!({
                "deadLetterTargetArn": queue::arn(&redrive.queue),
                "maxReceiveCount": redrive.max_receive_count,
            });
            attributes["RedrivePolicy"] = json!(policy.to_string());
        }
        Ok(json!({ "Attributes": selected(&attributes, &[&self.input["AttributeNames"]]) }))
    }

    fn redrive(&self) -> Result<Value, Refusal> {
        let source = self.queue_of_arn("SourceArn")?;
        if !self.queues.is_dead_letter_queue(&source) {
            let message = format!("{source} is not the dead-letter queue of another queue");
            return Err(("InvalidParameterValue", message));
        }
        let destination = match &self.input["DestinationArn"] {
            Value::Null => None,
            _ => Some(self.queue_of_arn("DestinationArn")?),
        };
        let moved = self.queues.redrive(&source, destination.as_deref());
        moved.ok_or_else(|| self.no_queue())?;
        Ok(json!({ "TaskHandle": Uuid::new_v4().to_string() }))
    }

    fn no_queue(&self) -> Refusal {
        let names = self.queues.names().join(", ");
        let message = format!("The specified queue does not exist. There are: {names}");
        ("QueueDoesNotExist", message)
    }

    /// Returns the name of the queue in the parameter `QueueUrl`.
    fn queue(&self) -> Result<&'a str, Refusal> {
        let url = self.string("QueueUrl")?;
        let parts = url.rsplit_once(&format!("/{ACCOUNT_ID}/"));
        parts.map(|(_, name)| name).ok_or_else(|| self.no_queue())
    }

    /// Returns the name of the queue whose ARN is in the parameter `name`.
    fn queue_of_arn(&self, name: &str) -> Result<String, Refusal> {
        let arn = self.string(name)?;
        let mut names = self.queues.names().into_iter();
        names.find(|queue| queue::arn(queue) == arn).ok_or_else(|| {
            let message = format!(
                "The resource that you specified for the {name} parameter doesn't exist: {arn}"
            );
            ("ResourceNotFoundException", message)
        })
    }

    /// Returns the string in a required parameter.
    fn string(&self, name: &str) -> Result<&'a str, Refusal> {
        let value = self.input[name].as_str().filter(|value| !value.is_empty());
        value.ok_or_else(|| {
            let message = format!("The request must contain the parameter {name}.");
            ("MissingParameter", message)
        })
    }

    /// Returns the number in an optional parameter.
    fn number(&self, name: &str, [min, max]: [u64; 2]) -> Result<Option<u64>, Refusal> {
        let value = &self.input[name];
        match value.as_u64() {
            _ if value.is_null() => Ok(None),
            Some(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => {
                let message = format!(
                    "Value {value} for parameter {name} is invalid. Reason: Must be between {min} and {max}, if provided."
                );
                Err(("InvalidParameterValue", message))
            }
        }
    }

    fn seconds(&self, name: &str, max: u64) -> Result<Option<Duration>, Refusal> {
        Ok(self.number(name, [0, max])?.map(Duration::from_secs))
    }
}

/// Returns the attributes whose names are in one of the lists. The name `All` stands for all attributes.
fn selected(attributes: &Value, lists: &[&Value]) -> Map<String, Value> {
    let is_wanted = |name: &str| {
        let mut names = lists.iter().flat_map(|list| items(list));
        names.any(|wanted| wanted == name || wanted == "All")
    };
    members(attributes)
        .filter(|(name, _)| is_wanted(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
