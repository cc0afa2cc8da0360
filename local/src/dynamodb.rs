//! DynamoDB Local, and any other endpoint that plays DynamoDB, by its HTTP interface.

use std::{
    collections::BTreeMap,
    process::Child,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{Guardian, Options, Result, Template, logs::Log, tools::DynamoDbLocal};

/// The variable that names an endpoint that is there already, as the SDKs have it.
pub const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// The region that functions and requests name.
pub const REGION: &str = "us-east-1";

/// The access key that functions and requests name; DynamoDB Local takes any letters and digits.
pub const ACCESS_KEY: &str = "local";

/// How long DynamoDB may take to start answering.
const PATIENCE: Duration = Duration::from_secs(60);

/// The properties of a table's definition that the request to create one has no place for.
const ONLY_CLOUD: [&str; 6] = [
    "DeletionProtectionEnabled",
    "PointInTimeRecoverySpecification",
    "SSESpecification",
    "TableName",
    "Tags",
    "TimeToLiveSpecification",
];

/// An endpoint that plays DynamoDB.
#[derive(Clone, Debug)]
pub struct DynamoDb {
    endpoint: String,
    http: ureq::Agent,
}

impl DynamoDb {
    /// The DynamoDB that answers at `endpoint`.
    pub fn at(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            http: http(PATIENCE),
        }
    }

    /// The DynamoDB that `AWS_ENDPOINT_URL_DYNAMODB` names, where it names one.
    pub fn from_env() -> Option<Self> {
        let endpoint = std::env::var(ENDPOINT_URL)
            .ok()
            .filter(|endpoint| !endpoint.is_empty())?;
        Some(Self::at(&endpoint))
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Starts DynamoDB Local on `port`, as the options of a stack have it.
    ///
    /// # Errors
    /// Where it cannot be started, or ends before it answers.
    pub(crate) fn start(
        local: &DynamoDbLocal,
        guardian: &Guardian,
        log: &Log,
        port: u16,
        options: &Options,
    ) -> Result<(Self, Child)> {
        let mut command = local.command(port, options.dynamodb_at_full_speed);
        match &options.data_dir {
            None => command.arg("-inMemory"),
            Some(dir) => {
                std::fs::create_dir_all(dir).map_err(|error| {
                    format!("cannot make the data directory {}: {error}", dir.display())
                })?;
                command.arg("-dbPath").arg(dir)
            }
        };
        let mut process = guardian.spawn(log.receive(&mut command)?)?;
        let dynamodb = Self::at(&format!("http://127.0.0.1:{port}"));
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = dynamodb.call("ListTables", &json!({})) {
            if let Ok(Some(status)) = process.try_wait() {
                return Err(format!(
                    "DynamoDB Local ended ({status}): {}",
                    log.last_line()
                ));
            }
            if Instant::now() > deadline {
                return Err(format!("DynamoDB Local does not answer: {error}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok((dynamodb, process))
    }

    /// Sends one request of the DynamoDB API (`GetItem`, …) and gives its answer.
    ///
    /// # Errors
    /// Where there is no answer, or an error; the text has DynamoDB's own words.
    pub fn call(&self, operation: &str, input: &Value) -> Result<Value> {
        self.call_service("DynamoDB_20120810", operation, input)
    }

    fn call_service(&self, service: &str, operation: &str, input: &Value) -> Result<Value> {
        let (status, body) = self.forward(&format!("{service}.{operation}"), &input.to_string())?;
        if status != 200 {
            return Err(format!("{operation}: {body}"));
        }
        serde_json::from_str(&body).map_err(|error| format!("{operation}: {error}"))
    }

    /// Passes a request on as it is, and gives the status and the body of the answer.
    ///
    /// # Errors
    /// Where there is no answer.
    pub fn forward(&self, target: &str, body: &str) -> Result<(u16, String)> {
        // DynamoDB Local wants the form of a signature.
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20200101/{REGION}/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let unreachable = |error: ureq::Error| format!("no answer from {}: {error}", self.endpoint);
        let mut answer = self
            .http
            .post(&self.endpoint)
            .header("authorization", signature)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", target)
            .send(body)
            .map_err(unreachable)?;
        let body = answer
            .body_mut()
            .with_config()
            .limit(u64::MAX)
            .read_to_string()
            .map_err(unreachable)?;
        Ok((answer.status().as_u16(), body))
    }

    /// The records of a table's stream behind the last ones `seen`, of which it has the sequence
    /// numbers by shard; all of a shard that is new.
    pub(crate) fn stream_records(
        &self,
        table: &str,
        seen: &mut BTreeMap<String, Value>,
    ) -> Result<Vec<Value>> {
        const STREAMS: &str = "DynamoDBStreams_20120810";
        let listed = self.call_service(STREAMS, "ListStreams", &json!({ "TableName": table }))?;
        let stream = &listed["Streams"][0]["StreamArn"];
        let described =
            self.call_service(STREAMS, "DescribeStream", &json!({ "StreamArn": stream }))?;
        let mut found = Vec::new();
        for shard in described["StreamDescription"]["Shards"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let shard = shard["ShardId"].as_str().unwrap_or_default();
            // DynamoDB Local's own next iterator of a stream that is still empty finds nothing ever.
            let input = match seen.get(shard) {
                None => {
                    json!({ "StreamArn": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" })
                }
                Some(last) => json!({
                    "StreamArn": stream, "ShardId": shard,
                    "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": last,
                }),
            };
            let iterator = self.call_service(STREAMS, "GetShardIterator", &input)?;
            let input = json!({ "ShardIterator": iterator["ShardIterator"] });
            let mut records = self.call_service(STREAMS, "GetRecords", &input)?;
            let Some(records) = records["Records"].as_array_mut() else {
                continue;
            };
            if let Some(last) = records.last() {
                seen.insert(shard.to_owned(), last["dynamodb"]["SequenceNumber"].clone());
            }
            found.append(records);
        }
        Ok(found)
    }

    /// Makes the tables that the template defines, where they are not there already.
    ///
    /// # Errors
    /// Where the endpoint does not answer, or refuses a table.
    pub fn create_tables(&self, template: &Template) -> Result<()> {
        for (name, properties) in template.tables() {
            let mut input = properties.clone();
            if let Some(members) = input.as_object_mut() {
                members.retain(|member, _| !ONLY_CLOUD.contains(&member.as_str()));
                if let Some(stream) = members.get_mut("StreamSpecification") {
                    stream["StreamEnabled"] = json!(true);
                }
                members.insert("TableName".to_owned(), json!(name));
            }
            match self.call("CreateTable", &input) {
                Err(error) if !error.contains("ResourceInUseException") => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// An HTTP client that takes every status for an answer and goes where it is told.
pub(crate) fn http(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(timeout))
        .proxy(None)
        .build()
        .into()
}
