//! `POST /v1/groups`: creates a group.

use shared::{
    Result, dynamodb,
    http::{self, Request, Response},
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
) -> Result<Response> {
    let body = request.body()?;
    let key = request.idempotency_key()?;
    let group = Group::create(NewGroup::parse(body.members()?)?);
    let response = Response::created(&group)?;
    let caller = request.caller();
    let Some(key) = key else {
        groups.create(caller, &group).await?;
        return Ok(response);
    };
    let first = idempotency
        .create_group(caller, &key, &body.fingerprint(), &group, response.body())
        .await?;
    Ok(first.map_or(response, Response::replayed))
}
