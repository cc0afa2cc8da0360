//! `GET /v1/groups/{id}`: retrieves a group.

use shared::{
    Result, dynamodb,
    http::{self, Answer, Request},
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

async fn get_group(groups: &Groups, request: Request) -> Result<Answer> {
    request.no_query()?;
    let has_already = request.if_none_match()?;
    let group = groups.get(request.caller(), &request.group_id()?).await?;
    if has_already(group.version()) {
        return Ok(Answer::not_modified(group.version()));
    }
    Answer::group(&group)
}
