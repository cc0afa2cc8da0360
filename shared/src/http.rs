//! The HTTP edge: turns events of API Gateway into requests with a caller, and results into responses.

use std::{convert::Infallible, panic::AssertUnwindSafe};

use futures_util::FutureExt;
use lambda_http::lambda_runtime::{self, Context, LambdaEvent, service_fn};
use tracing::Instrument;

use crate::{
    Error, Result,
    auth::Authenticator,
    tables::Tokens,
    telemetry::{Invocation, InvocationStats, with_stats},
};

mod authorization;
mod conditions;
mod event;
mod idempotency_key;
mod page;
mod request;
mod response;

pub use conditions::{IfNoneMatch, MAX_ENTITY_TAGS};
pub use request::{Body, Request, UnroutedRequest};
pub use response::Response;

use authorization::bearer_token;
use event::Event;

/// Serves API Gateway's requests with `handler`, one after another, until Lambda ends the instance.
///
/// The token is checked before the handler runs, so no function can forget it. An error becomes the error
/// object of the contract, and a panic an internal error, after which the instance serves on.
///
/// This uses `lambda_runtime` and not `lambda_http::run`, whose conversion to `http::Request` panics for some
/// hosts, paths and bodies that a client can send.
///
/// # Errors
/// Returns an error if the Runtime API cannot be reached or breaks its protocol; then the instance is of no use.
pub async fn serve<H>(tokens: Tokens, handler: H) -> Result<(), lambda_http::Error>
where
    H: AsyncFn(Request) -> Result<Response>,
{
    let authenticator = Authenticator::new(tokens);
    authenticator.connect().await;
    let respond = async |LambdaEvent { payload, context }: LambdaEvent<Event>| {
        let invocation = begin(&payload, &context);
        let request_id = invocation.request_id();
        let span = tracing::info_span!("request", request_id, invocation_id = context.request_id);
        let response = respond_to(&authenticator, &handler, payload);
        let (result, stats) = with_stats(response).instrument(span).await;
        Ok::<_, Infallible>(end(&invocation, result, &stats))
    };
    lambda_runtime::run(service_fn(respond)).await
}

/// Serves the requests that no other route matches. They are not authenticated, because neither a 404
/// or 405 nor the methods of a path reveal anything.
///
/// # Errors
/// Returns the same errors as [`serve`].
pub async fn serve_unrouted(
    handler: fn(&UnroutedRequest) -> Result<Response>,
) -> Result<(), lambda_http::Error> {
    let respond = async |LambdaEvent { payload, context }: LambdaEvent<Event>| {
        let invocation = begin(&payload, &context);
        let result = handler(&UnroutedRequest(payload));
        Ok::<_, Infallible>(end(&invocation, result, &InvocationStats::default()))
    };
    lambda_runtime::run(service_fn(respond)).await
}

fn begin(event: &Event, context: &Context) -> Invocation {
    let request_id = event.request_id().unwrap_or(&context.request_id);
    Invocation::begin(request_id.to_owned(), event.route().map(str::to_owned))
}

fn end(invocation: &Invocation, result: Result<Response>, stats: &InvocationStats) -> Response {
    let (response, error) = match result {
        Ok(response) => (response, None),
        Err(error) => (Response::error(&error), Some(error)),
    };
    invocation.end(Some(response.status()), error.as_ref(), stats);
    response.with_request_id(invocation.request_id().to_owned())
}

async fn respond_to<H>(authenticator: &Authenticator, handler: &H, event: Event) -> Result<Response>
where
    H: AsyncFn(Request) -> Result<Response>,
{
    let response = async {
        let token = bearer_token(event.header("authorization").unwrap_or_default())?;
        let caller = authenticator.caller(token).await?;
        handler(Request::new(event, caller)).await
    };
    let panic = |_| Error::internal("the handler panicked; the log line of the panic says where");
    // Safe: the only shared state is the token cache, which tolerates poisoning.
    AssertUnwindSafe(response)
        .catch_unwind()
        .await
        .map_err(panic)?
}
