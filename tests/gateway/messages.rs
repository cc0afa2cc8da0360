//! A stack whose probe writes the batches that it receives to a file.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use local::{Options, Stack};
use serde_json::{Value, json};

use crate::options;

const TIMEOUT: Duration = Duration::from_secs(20);

pub struct MessageStack {
    pub stack: Stack,
    file: PathBuf,
}

impl MessageStack {
    pub fn start(name: &str) -> Self {
        Self::start_with(options(name))
    }

    pub fn start_with(options: Options) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&options.name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("the directory is created");
        let file = dir.join("batches");
        let parameters = vec![("Batches".to_owned(), file.display().to_string())];
        let stack = Stack::start(Options {
            parameters,
            ..options
        });
        Self {
            stack: stack.expect("the stack starts"),
            file,
        }
    }

    /// Writes items, each with an id and an action of the probe, in one transaction, so that the stream contains
    /// them at the same time.
    pub fn write(&self, items: &[(&str, &str)]) {
        let put = |(id, action): &(&str, &str)| {
            let item = json!({ "id": { "S": id }, "do": { "S": action } });
            json!({ "Put": { "TableName": "ItemsTable", "Item": item } })
        };
        let items: Vec<_> = items.iter().map(put).collect();
        self.dynamodb("TransactWriteItems", json!({ "TransactItems": items }));
    }

    /// Runs an operation of DynamoDB that must succeed.
    pub fn dynamodb(&self, operation: &str, input: Value) {
        let result = self.stack.dynamodb().call(operation, &input);
        result.expect("the operation succeeds");
    }

    /// Runs an operation of SQS on a queue, which must succeed.
    pub fn sqs(&self, operation: &str, queue: &str, mut input: Value) -> Value {
        input["QueueUrl"] = json!(format!("{}/000000000000/{queue}", self.stack.url()));
        self.stack
            .sqs(operation, &input)
            .expect("the operation succeeds")
    }

    /// Sends a message with an id and an action of the probe.
    pub fn send(&self, queue: &str, id: &str, action: &str) {
        let body = json!({ "id": id, "do": action }).to_string();
        self.sqs("SendMessage", queue, json!({ "MessageBody": body }));
    }

    /// Returns how many messages of a queue are visible, delayed and not visible.
    pub fn counts(&self, queue: &str) -> [usize; 3] {
        let output = self.sqs(
            "GetQueueAttributes",
            queue,
            json!({ "AttributeNames": ["All"] }),
        );
        ["", "Delayed", "NotVisible"].map(|kind| {
            let name = format!("ApproximateNumberOfMessages{kind}");
            let count = output["Attributes"][name].as_str();
            count
                .and_then(|count| count.parse().ok())
                .expect("the count is a number")
        })
    }

    /// Waits until a queue has these counts.
    pub fn wait_for_counts(&self, queue: &str, wanted: [usize; 3]) {
        self.wait(|| self.counts(queue) == wanted);
    }

    /// Waits until `is_done` returns true. Fails the test after a time-out.
    pub fn wait(&self, is_done: impl Fn() -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !is_done() {
            assert!(Instant::now() < deadline, "{:#?}", self.batches());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns the records of each batch that the function has received.
    pub fn batches(&self) -> Vec<Vec<Value>> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        // The last line may be incomplete.
        let complete_lines = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let parse = |line| serde_json::from_str(line).expect("a list of records");
        complete_lines.lines().map(parse).collect()
    }

    /// Returns all records of the message with this id, one for each time that the function has received it.
    pub fn records_of(&self, id: &str) -> Vec<Value> {
        let records = self.batches().into_iter().flatten();
        records.filter(|record| id_of(record) == id).collect()
    }

    /// Waits until the function has received a message `count` times, and returns its records.
    pub fn wait_for(&self, id: &str, count: usize) -> Vec<Value> {
        self.wait(|| self.records_of(id).len() >= count);
        self.records_of(id)
    }

    /// Ends the action `wait` of a message.
    pub fn release(&self, id: &str) {
        fs::write(format!("{}-{id}", self.file.display()), "").expect("the file is written");
    }
}

/// Returns the id in the body of a record.
pub fn id_of(record: &Value) -> String {
    let body = record["body"].as_str().expect("`body` is a string");
    let message: Value = serde_json::from_str(body).expect("the body is JSON");
    let id = message["id"].as_str();
    id.expect("`id` is a string").to_owned()
}
