//! `revoke-token`, for operators: revokes one token, or those of an account.

use std::time::Instant;

use serde_json::{Value, json};
use shared::{
    Result, dynamodb, input::RawMembers, model::Revocation, operator, tables::Tokens, telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let tokens = Tokens::from_env(&dynamodb::connect().await?)?;
    operator::serve(async |payload, deadline| revoke_token(&tokens, payload, deadline).await).await
}

async fn revoke_token(tokens: &Tokens, payload: RawMembers, deadline: Instant) -> Result<Value> {
    let revocation = Revocation::parse(payload)?;
    let revoked = tokens.revoke(&revocation, deadline).await?;
    Ok(json!({ "revoked": revoked }))
}
