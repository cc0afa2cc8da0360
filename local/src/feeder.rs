//! Feeds a table's stream to a function, as Lambda's event source does.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{DynamoDb, Instance, Result, guardian::Group, logs::Log, tools::say};

/// How often the stream is asked for more.
const TICK: Duration = Duration::from_millis(100);

/// How often a record is tried before it is given up, as `MaximumRetryAttempts` has it.
const MAX_TRIES: u32 = 20;

/// How long the function may take, as its `Timeout` has it.
const LIFETIME: Duration = Duration::from_secs(300);

/// A running feeder. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Feeder {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the function's process.
    process: AtomicU32,
    /// Whether the function is to be started anew.
    stale: AtomicBool,
    stop: AtomicBool,
}

impl Feeder {
    /// Feeds the stream of `table` to the function that `command` makes, from its beginning: what
    /// the function has done already does no harm.
    pub(crate) fn start(
        dynamodb: DynamoDb,
        table: String,
        group: Group,
        log: Log,
        command: impl Fn() -> Command + Send + 'static,
    ) -> Result<Self> {
        let state = Arc::new(State::default());
        let start = move || Instance::start(group, &log, &mut command());
        let mut instance = start()?;
        state.process.store(instance.process_id(), Ordering::SeqCst);
        let of_thread = state.clone();
        thread::spawn(move || {
            let mut seen = BTreeMap::new();
            while !of_thread.stop.load(Ordering::SeqCst) {
                thread::sleep(TICK);
                // A DynamoDB that does not answer now may the next time.
                let records = dynamodb
                    .stream_records(&table, &mut seen)
                    .unwrap_or_default();
                deliver(records, &of_thread, &mut instance, &start);
            }
        });
        Ok(Self { state })
    }

    /// The number of the function's process.
    pub(crate) fn process_id(&self) -> u32 {
        self.state.process.load(Ordering::SeqCst)
    }

    /// Has the function started anew, from its binary as it then is, before its next event.
    pub(crate) fn restart(&self) {
        self.state.stale.store(true, Ordering::SeqCst);
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
    }
}

/// Delivers records until the function has done them all; from the first that it reports as failed
/// on, they come again. A function that has ended is started anew.
fn deliver(
    mut records: Vec<Value>,
    state: &State,
    instance: &mut Instance,
    start: &impl Fn() -> Result<Instance>,
) {
    let mut tries = 0;
    // The filter of the event source in template.yaml.
    records.retain(|record| record["eventName"] == "REMOVE");
    while !records.is_empty() && !state.stop.load(Ordering::SeqCst) {
        if state.stale.swap(false, Ordering::SeqCst) {
            renew(state, instance, start);
        }
        let first_failed = match instance.invoke_within(&json!({ "Records": records }), LIFETIME) {
            Ok(report) => match report["batchItemFailures"].as_array().map(Vec::as_slice) {
                Some([]) => return,
                Some([failure, ..]) => {
                    let failed = &failure["itemIdentifier"];
                    records
                        .iter()
                        .position(|record| record["dynamodb"]["SequenceNumber"] == *failed)
                }
                None => None,
            },
            Err(_) => {
                renew(state, instance, start);
                None
            }
        };
        // What goes on to the next record has a new count of tries.
        let first_failed = first_failed.unwrap_or_default();
        records.drain(..first_failed);
        tries = if first_failed > 0 { 1 } else { tries + 1 };
        if tries == MAX_TRIES {
            say(&format!(
                "A record of the stream keeps failing, and is given up: {}",
                records[0]
            ));
            records.remove(0);
            tries = 0;
        }
        thread::sleep(TICK);
    }
}

fn renew(state: &State, instance: &mut Instance, start: &impl Fn() -> Result<Instance>) {
    match start() {
        Ok(new) => {
            *instance = new;
            state.process.store(instance.process_id(), Ordering::SeqCst);
        }
        Err(error) => say(&error),
    }
}
