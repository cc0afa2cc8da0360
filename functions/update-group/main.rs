//! `PUT /v1/groups/{id}`: updates a group. Omitted members keep their value.

use shared::{
    Result, dynamodb,
    http::{self, Request, Response},
    model::GroupChanges,
    tables::{Groups, Tokens},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let dynamodb = dynamodb::connect().await?;
    let groups = Groups::from_env(&dynamodb)?;
    let tokens = Tokens::from_env(&dynamodb)?;
    http::serve(tokens, async |request| update_group(&groups, request).await).await
}

async fn update_group(groups: &Groups, request: Request) -> Result<Response> {
    let body = request.body()?;
    let if_match = request.if_match()?;
    let changes = GroupChanges::parse(body.members()?)?;
    let group = groups
        .update(request.caller(), &request.group_id()?, changes, &if_match)
        .await?;
    Response::group(&group)
}
