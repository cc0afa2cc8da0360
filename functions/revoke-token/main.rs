//! `revoke-token`, for operators: revokes one token, or an account's.

use serde_json::{Value as Json, json};
use shared::{
    Result,
    model::{Revocation, input::Value},
    operator,
    tables::{self, Tokens},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let tokens = Tokens::from_env(&tables::connect().await?)?;
    operator::serve(async |payload| revoke_token(&tokens, payload).await).await
}

async fn revoke_token(tokens: &Tokens, payload: Vec<(String, Value)>) -> Result<Json> {
    let revoked = tokens.revoke(&Revocation::parse(payload)?).await?;
    Ok(json!({ "revoked": revoked }))
}
