//! `issue-token`, for operators: issues a bearer token for an account.

use shared::{
    Result, dynamodb,
    input::RawMembers,
    model::{NewToken, Timestamp},
    operator,
    tables::{IssuedToken, Tokens},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let tokens = Tokens::from_env(&dynamodb::connect().await?)?;
    operator::serve(async |payload, _| issue_token(&tokens, payload).await).await
}

async fn issue_token(tokens: &Tokens, payload: RawMembers) -> Result<IssuedToken> {
    tokens
        .issue(NewToken::parse(payload, Timestamp::now())?)
        .await
}
