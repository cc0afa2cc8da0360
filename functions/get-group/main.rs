//! `GET /v1/groups/{id}`: retrieves a group.

use shared::{
    Result, dynamodb,
    http::{self, Request, Response},
    tables::{Groups, Tokens},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let dynamodb = dynamodb::connect().await?;
    let groups = Groups::from_env(&dynamodb)?;
    let tokens = Tokens::from_env(&dynamodb)?;
    http::serve(tokens, async |request| get_group(&groups, request).await).await
}

async fn get_group(groups: &Groups, request: Request) -> Result<Response> {
    request.no_query()?;
    let if_none_match = request.if_none_match()?;
    let group = groups.get(request.caller(), &request.group_id()?).await?;
    if if_none_match.matches(group.version()) {
        return Ok(Response::not_modified(group.version()));
    }
    Response::group(&group)
}
