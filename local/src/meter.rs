//! Measures what calls cost in DynamoDB.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::{DynamoDb, DynamoDbProxy, Reply, Result, block_on, lock, template::items};

/// The cost of one request to DynamoDB.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The operation, for example `GetItem`.
    pub operation: String,
    /// The read or write capacity units that it consumed.
    pub units: f64,
    /// The size of the response's body in bytes.
    pub bytes: usize,
}

impl Cost {
    /// Whether the units are read units; otherwise they are write units.
    pub fn is_read(&self) -> bool {
        ["GetItem", "Query"].contains(&self.operation.as_str())
    }
}

/// A proxy that forwards all requests and records the cost of each.
#[derive(Debug)]
pub struct Meter {
    proxy: DynamoDbProxy,
    costs: Arc<Mutex<Vec<Cost>>>,
}

impl Meter {
    /// Starts a meter in front of a DynamoDB.
    ///
    /// # Errors
    /// Returns an error if no port is free.
    pub fn start(upstream: &DynamoDb) -> Result<Self> {
        let costs: Arc<Mutex<Vec<Cost>>> = Arc::default();
        let (recorded, dynamodb) = (costs.clone(), upstream.clone());
        let proxy = DynamoDbProxy::start(upstream, move |request| {
            let mut input = request.input.clone();
            input["ReturnConsumedCapacity"] = json!("TOTAL");
            let response = block_on(dynamodb.forward(&request.target, input.to_string().into()));
            let Ok((status, body)) = response else {
                return Reply::NoResponse;
            };
            let output: Value = serde_json::from_slice(&body).unwrap_or_default();
            lock(&recorded).push(Cost {
                operation: request.operation.clone(),
                units: units(&output["ConsumedCapacity"]),
                bytes: body.len(),
            });
            Reply::Respond(status, String::from_utf8_lossy(&body).into_owned())
        })?;
        Ok(Self { proxy, costs })
    }

    /// The URL of the meter.
    pub fn url(&self) -> &str {
        self.proxy.url()
    }

    /// Returns the costs since the last call.
    pub fn take(&self) -> Vec<Cost> {
        std::mem::take(&mut *lock(&self.costs))
    }
}

/// Returns the units of one table, or of all tables of a transaction or a batch.
fn units(consumed: &Value) -> f64 {
    let own = consumed["CapacityUnits"].as_f64().unwrap_or_default();
    own + items(consumed).map(units).sum::<f64>()
}
