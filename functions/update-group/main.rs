//! `PUT /v1/groups/{id}`: updates a group; what is not given stays.

use shared::{
    Result,
    http::{self, Answer, Request},
    model::GroupChanges,
    tables::{self, Groups, Tokens},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let dynamodb = tables::connect().await?;
    let groups = Groups::from_env(&dynamodb)?;
    let tokens = Tokens::from_env(&dynamodb)?;
    http::serve(tokens, async |request| update_group(&groups, request).await).await
}

async fn update_group(groups: &Groups, request: Request) -> Result<Answer> {
    let changes = GroupChanges::parse(request.body()?)?;
    let group = groups
        .update(request.caller(), &request.group_id()?, changes)
        .await?;
    Answer::group(&group)
}
