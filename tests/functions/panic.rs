//! A function whose handler panics, for the tests of what happens then.

use shared::{
    dynamodb,
    http::{self, Request, Response},
    tables::Tokens,
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init("panic");
    let tokens = Tokens::from_env(&dynamodb::connect().await?)?;
    http::serve(tokens, async |request| panicking(request).await).await
}

async fn panicking(_: Request) -> shared::Result<Response> {
    panic!("the handler panicked on purpose")
}
