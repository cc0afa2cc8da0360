//! `GET /v1/groups`: lists the caller's groups, newest first.

use shared::{
    Result, dynamodb,
    http::{self, Request, Response},
    model::ListQuery,
    tables::{Groups, Tokens},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let dynamodb = dynamodb::connect().await?;
    let groups = Groups::from_env(&dynamodb)?;
    let tokens = Tokens::from_env(&dynamodb)?;
    http::serve(tokens, async |request| list_groups(&groups, request).await).await
}

async fn list_groups(groups: &Groups, request: Request) -> Result<Response> {
    let query = ListQuery::parse(request.query()?)?;
    let page = groups.list(request.caller(), &query).await?;
    Response::page(&page)
}
