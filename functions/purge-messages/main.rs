//! `purge-messages`: deletes the messages of deleted groups, driven by a queue of their conversations.

use std::time::Instant;

use shared::{
    Result, dynamodb,
    model::{DeletedGroup, Progress},
    queue,
    tables::Messages,
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let messages = Messages::from_env(&dynamodb::connect().await?)?;
    queue::serve(async |group, deadline| purge_messages(&messages, group, deadline).await).await
}

async fn purge_messages(
    messages: &Messages,
    group: DeletedGroup,
    deadline: Instant,
) -> Result<Progress> {
    messages.purge(&group.conversation_id()?, deadline).await
}
