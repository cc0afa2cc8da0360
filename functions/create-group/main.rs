//! `POST /v1/groups`: creates a group.

use shared::{
    Result, dynamodb,
    http::{self, Answer, Request},
    model::{Group, NewGroup},
    tables::{Groups, Idempotency, Tokens},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let dynamodb = dynamodb::connect().await?;
    let groups = Groups::from_env(&dynamodb)?;
    let idempotency = Idempotency::from_env(&dynamodb, &groups)?;
    let tokens = Tokens::from_env(&dynamodb)?;
    http::serve(tokens, async |request| {
        create_group(&groups, &idempotency, request).await
    })
    .await
}

async fn create_group(
    groups: &Groups,
    idempotency: &Idempotency,
    request: Request,
) -> Result<Answer> {
    let body = request.body()?;
    let key = request.idempotency_key()?;
    let group = Group::create(NewGroup::parse(body.members()?)?);
    let answer = Answer::created(&group)?;
    let caller = request.caller();
    let Some(key) = key else {
        groups.create(caller, &group).await?;
        return Ok(answer);
    };
    let first = idempotency
        .create(caller, &key, &body.fingerprint(), &group, answer.body())
        .await?;
    Ok(first.map_or(answer, Answer::replayed))
}
