//! `$default`: every request that no other route matches. The path does not exist (404), or it does not
//! have the method (405), or the method is OPTIONS (204).

use shared::{
    Error, Result,
    http::{self, Answer, UnroutedRequest},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    http::serve_unrouted(fallback).await
}

fn fallback(request: &UnroutedRequest) -> Result<Answer> {
    let path: Vec<_> = request.path().split('/').collect();
    let allow = match path[..] {
        ["", "v1", "groups"] => "GET, POST",
        ["", "v1", "groups", id] if !id.is_empty() => "GET, PUT, DELETE",
        _ => return Err(Error::PathNotFound),
    };
    // API Gateway passes a browser's preflight on to this route, and adds the CORS headers:
    // https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
    if request.method() == "OPTIONS" {
        return Ok(Answer::options(allow));
    }
    Err(Error::MethodNotAllowed { allow })
}
