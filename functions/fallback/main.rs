//! `$default`: responds to requests that match no other route. The path does not exist (404), or not with this
//! method (405), or the method is OPTIONS (204).

use shared::{
    Error, Result,
    http::{self, Response, UnroutedRequest},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    http::serve_unrouted(fallback).await
}

fn fallback(request: &UnroutedRequest) -> Result<Response> {
    let path: Vec<_> = request.path().split('/').collect();
    let allow = match path[..] {
        ["", "v1", "groups"] => "GET, POST",
        ["", "v1", "groups", id] if !id.is_empty() => "GET, PUT, DELETE",
        _ => return Err(Error::PathNotFound),
    };
    // API Gateway passes a browser's preflight on to this route, and adds the CORS headers:
    // https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
    if request.method() == "OPTIONS" {
        return Ok(Response::options(allow));
    }
    Err(Error::MethodNotAllowed { allow })
}
