//! SQS's standard queues, in memory. See
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html>.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use md5::{Digest, Md5};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{dynamodb::REGION, lock, template, terminal::say};

/// The account of all queues.
pub(crate) const ACCOUNT_ID: &str = "000000000000";

/// All queues, by their logical ids, which are their names on this machine. The methods for one queue
/// return `None` if the queue does not exist.
#[derive(Debug, Default)]
pub(crate) struct Queues(Mutex<BTreeMap<String, Queue>>);

#[derive(Debug)]
struct Queue {
    definition: template::Queue,
    /// The messages that were received last are at the end, so that messages that fail repeatedly do not
    /// delay others.
    messages: Vec<Message>,
}

/// A message in a queue.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub id: String,
    pub body: String,
    /// Identifies the last receive of the message.
    pub receipt_handle: String,
    receive_count: u64,
    sent: SystemTime,
    first_received: SystemTime,
    /// When the message can be received.
    visible_at: Instant,
    /// The queue from which it was moved to a dead-letter queue.
    source: Option<String>,
}

/// How many messages of a queue are in each state.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub visible: usize,
    pub delayed: usize,
    pub not_visible: usize,
}

/// Returns the ARN of a queue.
pub(crate) fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{queue}")
}

impl Queues {
    /// Creates the queues that do not exist yet, updates the attributes of the others, and deletes the queues
    /// that are no longer defined.
    pub(crate) fn define(&self, definitions: &[template::Queue]) {
        let mut queues = lock(&self.0);
        let mut former = std::mem::take(&mut *queues);
        for definition in definitions {
            let messages = former
                .remove(&definition.name)
                .map_or_else(Vec::new, |queue| queue.messages);
            let queue = Queue {
                definition: definition.clone(),
                messages,
            };
            queues.insert(definition.name.clone(), queue);
        }
    }

    /// Returns the names of all queues.
    pub(crate) fn names(&self) -> Vec<String> {
        lock(&self.0).keys().cloned().collect()
    }

    /// Returns the definition of a queue, and how many messages it contains.
    pub(crate) fn describe(&self, name: &str) -> Option<(template::Queue, Counts)> {
        let queues = lock(&self.0);
        let queue = queues.get(name)?;
        let now = Instant::now();
        let mut counts = Counts::default();
        for message in &queue.messages {
            match message.receive_count {
                _ if message.visible_at <= now => counts.visible += 1,
                0 => counts.delayed += 1,
                _ => counts.not_visible += 1,
            }
        }
        Some((queue.definition.clone(), counts))
    }

    /// Whether a queue is the dead-letter queue of another one.
    pub(crate) fn is_dead_letter_queue(&self, queue: &str) -> bool {
        lock(&self.0).values().any(|source| {
            let redrive = source.definition.redrive.as_ref();
            redrive.is_some_and(|redrive| redrive.queue == queue)
        })
    }

    /// Sends messages, which can be received after `delay`, or after the delay of the queue. No
    /// message is received before all of them are in the queue. Returns their ids.
    pub(crate) fn send(
        &self,
        queue: &str,
        bodies: Vec<String>,
        delay: Option<Duration>,
    ) -> Option<Vec<String>> {
        let mut queues = lock(&self.0);
        let target = queues.get_mut(queue)?;
        let sent = bodies.into_iter().map(|body| target.send(body, delay));
        Some(sent.collect())
    }

    /// Receives up to `limit` messages and hides them for `visibility_timeout`, or for that of the
    /// queue. A message that has been received as often as the queue's
    /// [redrive policy](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html)
    /// allows moves to the dead-letter queue instead.
    pub(crate) fn receive(
        &self,
        name: &str,
        limit: usize,
        visibility_timeout: Option<Duration>,
    ) -> Option<Vec<Message>> {
        let mut queues = lock(&self.0);
        let queue = queues.get_mut(name)?;
        let now = Instant::now();
        let redrive = queue.definition.redrive.clone();
        let is_dead = |message: &mut Message| {
            message.visible_at <= now
                && redrive
                    .as_ref()
                    .is_some_and(|redrive| message.receive_count >= redrive.max_receive_count)
        };
        let dead: Vec<_> = queue.messages.extract_if(.., is_dead).collect();
        let visible_at = now + visibility_timeout.unwrap_or(queue.definition.visibility_timeout);
        let received: Vec<_> = queue
            .messages
            .extract_if(.., |message| message.visible_at <= now)
            .take(limit)
            .map(|message| message.received(visible_at))
            .collect();
        queue.messages.extend(received.iter().cloned());
        if let Some(redrive) = redrive
            && let Some(dead_letters) = queues.get_mut(&redrive.queue)
        {
            for message in dead {
                say(&format!(
                    "{name}: message {} has been received {} times, so it moves to {}",
                    message.id, message.receive_count, redrive.queue
                ));
                let source = Some(name.to_owned());
                dead_letters.messages.push(Message { source, ..message });
            }
        }
        Some(received)
    }

    /// Deletes the message with this receipt handle. Only the handle of the last receive is valid; others
    /// are ignored.
    pub(crate) fn delete(&self, queue: &str, receipt_handle: &str) -> Option<()> {
        let mut queues = lock(&self.0);
        let messages = &mut queues.get_mut(queue)?.messages;
        messages.retain(|message| message.receipt_handle != receipt_handle);
        Some(())
    }

    /// Moves all messages of a dead-letter queue to `destination`, or back to their source queues. A message
    /// that was sent directly to the dead-letter queue has no source queue, so it stays. The moved messages are
    /// [new messages](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html),
    /// with new ids and receive counts, and with the delay of the queue.
    pub(crate) fn redrive(&self, queue: &str, destination: Option<&str>) -> Option<()> {
        let mut queues = lock(&self.0);
        for message in std::mem::take(&mut queues.get_mut(queue)?.messages) {
            let target = destination.or(message.source.as_deref());
            if let Some(target) = target.and_then(|target| queues.get_mut(target)) {
                target.send(message.body, None);
            } else {
                queues.get_mut(queue)?.messages.push(message);
            }
        }
        Some(())
    }
}

impl Queue {
    fn send(&mut self, body: String, delay: Option<Duration>) -> String {
        let (id, sent) = (Uuid::new_v4().to_string(), SystemTime::now());
        self.messages.push(Message {
            id: id.clone(),
            body,
            receipt_handle: String::new(),
            receive_count: 0,
            sent,
            first_received: sent,
            visible_at: Instant::now() + delay.unwrap_or(self.definition.delay),
            source: None,
        });
        id
    }
}

impl Message {
    fn received(mut self, visible_at: Instant) -> Self {
        if self.receive_count == 0 {
            self.first_received = SystemTime::now();
        }
        self.receive_count += 1;
        self.receipt_handle = Uuid::new_v4().to_string();
        self.visible_at = visible_at;
        self
    }

    /// The [system attributes](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html).
    pub(crate) fn attributes(&self) -> Value {
        let milliseconds = |time: SystemTime| {
            let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            since_epoch.as_millis().to_string()
        };
        json!({
            "ApproximateFirstReceiveTimestamp": milliseconds(self.first_received),
            "ApproximateReceiveCount": self.receive_count.to_string(),
            "SenderId": ACCOUNT_ID,
            "SentTimestamp": milliseconds(self.sent),
        })
    }
}

/// Returns the MD5 digest of a body in hexadecimal.
pub(crate) fn md5_of(body: &str) -> String {
    let digest: [u8; 16] = Md5::digest(body).into();
    format!("{:032x}", u128::from_be_bytes(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_becomes_visible_again_waits_until_the_others_have_been_received() {
        let queues = Queues::default();
        queues.define(&[template::Queue {
            name: "Queue".to_owned(),
            delay: Duration::ZERO,
            visibility_timeout: Duration::ZERO,
            redrive: None,
        }]);
        let bodies = ["a", "b", "c"].map(str::to_owned);
        queues.send("Queue", bodies.into(), None);
        let received = (0..6).flat_map(|_| queues.receive("Queue", 1, None).expect("the queue"));
        let bodies: String = received.map(|message| message.body).collect();
        assert_eq!(bodies, "abcabc");
    }
}
