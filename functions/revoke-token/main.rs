//! `revoke-token`, for operators: revokes one token, or an account's.

use std::time::Instant;

use serde_json::{Value as Json, json};
use shared::{
    Result, dynamodb,
    model::{Revocation, input::Value},
    operator,
    tables::Tokens,
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let tokens = Tokens::from_env(&dynamodb::connect().await?)?;
    operator::serve(async |payload, deadline| revoke_token(&tokens, payload, deadline).await).await
}

async fn revoke_token(
    tokens: &Tokens,
    payload: Vec<(String, Value)>,
    deadline: Instant,
) -> Result<Json> {
    let revocation = Revocation::parse(payload)?;
    let revoked = tokens.revoke(&revocation, deadline).await?;
    Ok(json!({ "revoked": revoked }))
}
