//! `POST /v1/groups`: creates a group.

use shared::{
    Result,
    http::{self, Answer, Request},
    model::{Group, NewGroup},
    tables::{self, Groups, Tokens},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let dynamodb = tables::connect().await?;
    let groups = Groups::from_env(&dynamodb)?;
    let tokens = Tokens::from_env(&dynamodb)?;
    http::serve(tokens, async |request| create_group(&groups, request).await).await
}

async fn create_group(groups: &Groups, request: Request) -> Result<Answer> {
    let group = Group::create(NewGroup::parse(request.body()?.members()?)?);
    groups.create(request.caller(), &group).await?;
    Answer::created(&group)
}
