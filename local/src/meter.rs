//! What calls cost DynamoDB, counted on the way there.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::{DynamoDb, Endpoint, Reply, Result, endpoint::lock};

/// What one request to DynamoDB took.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The operation, for example `GetItem`.
    pub operation: String,
    /// The read or write capacity units, as DynamoDB counts them.
    pub units: f64,
    /// The bytes of the answer's body.
    pub bytes: usize,
}

impl Cost {
    /// Whether the units are read units, and not write units.
    pub fn is_read(&self) -> bool {
        ["GetItem", "Query"].contains(&self.operation.as_str())
    }
}

/// An endpoint that passes everything on and keeps what each request took.
#[derive(Debug)]
pub struct Meter {
    endpoint: Endpoint,
    costs: Arc<Mutex<Vec<Cost>>>,
}

impl Meter {
    /// Starts a meter before a DynamoDB.
    ///
    /// # Errors
    /// Where no port is free.
    pub fn start(behind: &DynamoDb) -> Result<Self> {
        let costs: Arc<Mutex<Vec<Cost>>> = Arc::default();
        let (spent, dynamodb) = (costs.clone(), behind.clone());
        let endpoint = Endpoint::start(behind, move |request| {
            // What the function asked for, and the units that it took.
            let mut input = request.input.clone();
            input["ReturnConsumedCapacity"] = json!("TOTAL");
            let Ok((status, body)) = dynamodb.forward(&request.target, &input.to_string()) else {
                return Reply::Silence;
            };
            let answer: Value = serde_json::from_str(&body).unwrap_or_default();
            lock(&spent).push(Cost {
                operation: request.operation.clone(),
                units: units(&answer["ConsumedCapacity"]),
                bytes: body.len(),
            });
            Reply::Answer(status, body)
        })?;
        Ok(Self { endpoint, costs })
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        self.endpoint.url()
    }

    /// What was spent since this was last asked.
    pub fn take(&self) -> Vec<Cost> {
        std::mem::take(&mut *lock(&self.costs))
    }
}

/// The units of one table, or of all that a transaction or a batch touched.
fn units(consumed: &Value) -> f64 {
    match consumed {
        Value::Array(tables) => tables.iter().map(units).sum(),
        table => table["CapacityUnits"].as_f64().unwrap_or_default(),
    }
}
