//! `$default`: whatever no route takes, which is a path that is not here (404), or one that is, with
//! a method that is not (405).

use shared::{
    Error,
    http::{self, UnroutedRequest},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    http::serve_unrouted(fallback).await
}

fn fallback(request: &UnroutedRequest) -> Error {
    let path: Vec<_> = request.path().split('/').collect();
    match path[..] {
        ["", "v1", "groups"] => Error::MethodNotAllowed { allow: "GET, POST" },
        ["", "v1", "groups", id] if !id.is_empty() => Error::MethodNotAllowed {
            allow: "GET, PUT, DELETE",
        },
        _ => Error::PathNotFound,
    }
}
