//! `purge-messages`: deletes a deleted group's messages, driven by the stream of the table of groups.

use shared::{
    stream,
    tables::{self, Messages},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let messages = Messages::from_env(&tables::connect().await?)?;
    stream::serve(async |conversation_id, deadline| {
        messages.purge(&conversation_id, deadline).await
    })
    .await
}
