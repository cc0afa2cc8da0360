//! A client for DynamoDB's HTTP API, and the start of DynamoDB Local.

use std::{
    collections::BTreeMap,
    error::Error,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::process::Child;

use crate::{
    ANY_PORT, Options, ProcessReaper, Result, Template, block_on, listen, logs::Logs,
    template::items, tools::DynamoDbLocal,
};

/// The environment variable with the URL of a DynamoDB endpoint, as the SDKs define it.
pub const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// The region of all requests.
pub const REGION: &str = "us-east-1";

/// The access key of all requests; DynamoDB Local accepts any letters and digits.
pub const ACCESS_KEY: &str = "local";

/// How long DynamoDB may take to start, and to respond.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long DynamoDB Local may report that it cannot read its data.
const DATA_TIMEOUT: Duration = Duration::from_secs(5);

/// Properties of a table in CloudFormation that are not parameters of `CreateTable`, or that are set here.
const NOT_IN_CREATE_TABLE: [&str; 6] = [
    "DeletionProtectionEnabled",
    "PointInTimeRecoverySpecification",
    "SSESpecification",
    "TableName",
    "Tags",
    "TimeToLiveSpecification",
];

/// A directory for DynamoDB Local's data. The lock keeps other stacks from using it at the same time.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: Arc<File>,
}

impl DataDir {
    /// Creates the directory if it does not exist, and locks it. `reset` deletes the data in it, but no
    /// other files.
    ///
    /// # Errors
    /// Returns an error if the directory cannot be written, or if another stack uses it.
    pub fn open(path: &Path, reset: bool) -> Result<Self> {
        let context = |error: std::io::Error| {
            format!("cannot use the data directory {}: {error}", path.display())
        };
        if path.to_str().is_none_or(str::is_empty) {
            return Err("--data-dir must be a path of valid UTF-8 that is not empty".to_owned());
        }
        fs::create_dir_all(path).map_err(context)?;
        let lock = File::create(path.join("lock")).map_err(context)?;
        lock.try_lock().map_err(|_| {
            format!(
                "the data directory {} is in use by another `cargo local`. \
                 Stop that, or choose another with --data-dir",
                path.display()
            )
        })?;
        for entry in fs::read_dir(path).map_err(context)?.flatten() {
            let name = entry.file_name();
            if reset
                && name
                    .to_string_lossy()
                    .starts_with("shared-local-instance.db")
            {
                fs::remove_file(entry.path()).map_err(context)?;
            }
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: Arc::new(lock),
        })
    }
}

/// A client for a DynamoDB endpoint.
#[derive(Clone, Debug)]
pub struct DynamoDb {
    endpoint: String,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl DynamoDb {
    /// Creates a client for the endpoint with this URL (plain HTTP).
    pub fn at(endpoint: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            http: Client::builder(TokioExecutor::new()).build(connector),
        }
    }

    /// Creates a client for the endpoint in `AWS_ENDPOINT_URL_DYNAMODB`, if the variable is set.
    pub fn from_env() -> Option<Self> {
        let endpoint = std::env::var(ENDPOINT_URL)
            .ok()
            .filter(|url| !url.is_empty())?;
        Some(Self::at(&endpoint))
    }

    /// The URL of the endpoint.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Starts DynamoDB Local on any free port.
    ///
    /// # Errors
    /// Returns an error if it cannot be started, or does not respond.
    pub(crate) fn start(
        program: &DynamoDbLocal,
        reaper: &ProcessReaper,
        logs: &Logs,
        options: &Options,
    ) -> Result<(Self, Child)> {
        let log = logs.of("dynamodb-local");
        let port = listen(ANY_PORT)?.1.port();
        let mut command = program.command(port, options.profile);
        match &options.data_dir {
            None => command.arg("-inMemory"),
            Some(dir) => command.arg("-dbPath").arg(&dir.path),
        };
        let mut process = reaper.group().spawn(log.redirect(&mut command)?)?;
        let dynamodb = Self::at(&format!("http://127.0.0.1:{port}"));
        let deadline = Instant::now() + TIMEOUT;
        while let Err(error) = dynamodb.call("ListTables", &json!({})) {
            if let Ok(Some(status)) = process.try_wait() {
                return Err(format!("DynamoDB Local exited ({status}). {}", log.tail()));
            }
            // DynamoDB Local returns this error if it cannot read its data, and possibly while it starts.
            if error.contains("InternalFailure")
                && deadline - Instant::now() < TIMEOUT - DATA_TIMEOUT
            {
                let data = "DynamoDB Local cannot read the data in its directory. Start with --reset, or choose another";
                return Err(format!("{data}\n{error}"));
            }
            if Instant::now() > deadline {
                return Err(format!("DynamoDB Local does not respond: {error}"));
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        Ok((dynamodb, process))
    }

    /// Runs one operation of the DynamoDB API (`GetItem`, …).
    ///
    /// # Errors
    /// Returns an error if there is no response, or DynamoDB's error message if the operation fails.
    pub fn call(&self, operation: &str, input: &Value) -> Result<Value> {
        block_on(self.call_service("DynamoDB_20120810", operation, input))
    }

    async fn call_service(&self, service: &str, operation: &str, input: &Value) -> Result<Value> {
        let target = format!("{service}.{operation}");
        let (status, body) = self.forward(&target, input.to_string().into()).await?;
        if status != 200 {
            return Err(format!("{operation}: {}", String::from_utf8_lossy(&body)));
        }
        serde_json::from_slice(&body).map_err(|error| format!("{operation}: {error}"))
    }

    /// Sends a request with this `X-Amz-Target` header and body, and returns the status code and
    /// the body of the response.
    ///
    /// # Errors
    /// Returns an error if there is no response.
    pub async fn forward(&self, target: &str, body: Bytes) -> Result<(u16, Bytes)> {
        // DynamoDB Local requires a signature, but does not check it.
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20200101/{REGION}/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let request = Request::post(&self.endpoint)
            .header("authorization", signature)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", target)
            .body(Full::new(body))
            .map_err(|error| format!("{}: {error}", self.endpoint))?;
        let exchange = async {
            let sent = self.http.request(request).await;
            let response = sent.map_err(|error| match error.source() {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            })?;
            let status = response.status().as_u16();
            let collected = response.into_body().collect().await;
            let body = collected.map_err(|error| error.to_string())?;
            Ok((status, body.to_bytes()))
        };
        tokio::time::timeout(TIMEOUT, exchange)
            .await
            .unwrap_or_else(|_| Err(format!("timeout after {TIMEOUT:?}")))
            .map_err(|error: String| format!("no response from {}: {error}", self.endpoint))
    }

    /// Returns the records of a table's stream after those in `seen` (the last sequence number of
    /// each shard), by shard. New shards are read from the start.
    pub(crate) async fn stream_records(
        &self,
        table: &str,
        seen: &BTreeMap<String, Value>,
    ) -> Result<Vec<(String, Vec<Value>)>> {
        let call = |operation, input| async move {
            self.call_service("DynamoDBStreams_20120810", operation, &input)
                .await
        };
        let listed = call("ListStreams", json!({ "TableName": table })).await?;
        let stream = listed["Streams"][0]["StreamArn"].clone();
        let described = call("DescribeStream", json!({ "StreamArn": stream })).await?;
        let mut found = Vec::new();
        for description in items(&described["StreamDescription"]["Shards"]) {
            let shard = description["ShardId"].as_str().unwrap_or_default();
            // Get a new iterator each time, because DynamoDB Local's NextShardIterator of an empty shard
            // never returns later records.
            let mut start = json!({ "StreamArn": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" });
            if let Some(last) = seen.get(shard) {
                start["ShardIteratorType"] = json!("AFTER_SEQUENCE_NUMBER");
                start["SequenceNumber"] = last.clone();
            }
            let iterator = call("GetShardIterator", start).await?;
            let position = json!({ "ShardIterator": iterator["ShardIterator"] });
            let mut output = call("GetRecords", position).await?;
            if let Value::Array(records) = output["Records"].take()
                && !records.is_empty()
            {
                found.push((shard.to_owned(), records));
            }
        }
        Ok(found)
    }

    /// Creates the tables of the template that do not exist yet, and returns their names.
    ///
    /// # Errors
    /// Returns an error if the endpoint does not respond, or if it rejects a table.
    pub fn create_tables(&self, template: &Template) -> Result<Vec<String>> {
        let mut created = Vec::new();
        for (name, properties) in template.tables() {
            let mut input = properties.clone();
            if let Some(members) = input.as_object_mut() {
                members.retain(|member, _| !NOT_IN_CREATE_TABLE.contains(&member.as_str()));
                if let Some(stream) = members.get_mut("StreamSpecification") {
                    stream["StreamEnabled"] = json!(true);
                }
                members.insert("TableName".to_owned(), json!(name));
            }
            match self.call("CreateTable", &input) {
                Ok(_) => created.push(name.to_owned()),
                Err(error) if error.contains("ResourceInUseException") => {}
                Err(error) => return Err(error),
            }
        }
        Ok(created)
    }
}
