//! A function whose handler panics, which no function of the product does: to see what becomes of
//! it where one should.

use shared::{
    dynamodb,
    http::{self, Answer, Request},
    tables::Tokens,
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init("panic");
    let tokens = Tokens::from_env(&dynamodb::connect().await?)?;
    http::serve(tokens, async |request| panicking(request).await).await
}

async fn panicking(_: Request) -> shared::Result<Answer> {
    panic!("the handler panicked on purpose")
}
