//! `DELETE /v1/groups/{id}`: deletes a group permanently.

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
    http::serve(tokens, async |request| delete_group(&groups, request).await).await
}

async fn delete_group(groups: &Groups, request: Request) -> Result<Response> {
    request.no_query()?;
    let if_match = request.if_match()?;
    groups
        .delete(request.caller(), &request.group_id()?, &if_match)
        .await?;
    Ok(Response::no_content())
}
