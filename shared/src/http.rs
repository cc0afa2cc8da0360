//! The HTTP edge: API Gateway's events become requests with a caller, results become answers.

use std::{convert::Infallible, panic::AssertUnwindSafe};

use futures_util::FutureExt;
use lambda_http::lambda_runtime::{self, Context, LambdaEvent, service_fn};
use tracing::Instrument;

use crate::{
    Error, Result,
    auth::Authenticator,
    tables::Tokens,
    telemetry::{Invocation, Observed, observe},
};

mod answer;
mod etag;
mod event;
mod form;
mod json;
mod request;
mod urlencoded;

pub use answer::Answer;
pub use json::parse as parse_json;
pub use request::{Body, MAX_BODY_BYTES, Request, UnroutedRequest};

use event::Event;

/// Serves API Gateway's requests with `handler`, one after another, until Lambda ends the instance.
///
/// The token is checked here, before the handler, so that no function can forget it and no handler
/// ever sees a request without a caller. Whatever happens becomes an answer: an error the object of
/// the contract, a panic the same as an internal error, after which the instance lives on.
///
/// This stands on `lambda_runtime` and not on `lambda_http::run`, whose conversion to
/// `http::Request` panics on some hosts, paths and bodies that a client can send.
///
/// # Errors
/// Where the Runtime API cannot be reached or breaks its protocol; then the instance is of no use.
pub async fn serve<H>(tokens: Tokens, handler: H) -> Result<(), lambda_http::Error>
where
    H: AsyncFn(Request) -> Result<Answer>,
{
    let authenticator = Authenticator::new(tokens);
    authenticator.connect().await;
    let respond = async |LambdaEvent { payload, context }: LambdaEvent<Event>| {
        let invocation = begin(&payload, &context);
        let request_id = invocation.request_id();
        let span = tracing::info_span!("request", request_id, invocation_id = context.request_id);
        let answer = answer(&authenticator, &handler, payload);
        let (result, observed) = observe(answer).instrument(span).await;
        Ok::<_, Infallible>(end(&invocation, result, &observed))
    };
    lambda_runtime::run(service_fn(respond)).await
}

/// Serves the requests that no other route matches. They are not authenticated, because neither a 404
/// or 405 nor the methods of a path reveal anything.
///
/// # Errors
/// As [`serve`].
pub async fn serve_unrouted(
    handler: fn(&UnroutedRequest) -> Result<Answer>,
) -> Result<(), lambda_http::Error> {
    let respond = async |LambdaEvent { payload, context }: LambdaEvent<Event>| {
        let invocation = begin(&payload, &context);
        let result = handler(&UnroutedRequest(payload));
        Ok::<_, Infallible>(end(&invocation, result, &Observed::default()))
    };
    lambda_runtime::run(service_fn(respond)).await
}

fn begin(event: &Event, context: &Context) -> Invocation {
    let request_id = event.request_id().unwrap_or(&context.request_id);
    Invocation::begin(request_id.to_owned(), event.route().map(str::to_owned))
}

fn end(invocation: &Invocation, result: Result<Answer>, observed: &Observed) -> Answer {
    let (answer, error) = match result {
        Ok(answer) => (answer, None),
        Err(error) => (Answer::error(&error), Some(error)),
    };
    invocation.end(Some(answer.status()), error.as_ref(), observed);
    answer.with_request_id(invocation.request_id().to_owned())
}

async fn answer<H>(authenticator: &Authenticator, handler: &H, event: Event) -> Result<Answer>
where
    H: AsyncFn(Request) -> Result<Answer>,
{
    let answer = async {
        let caller = authenticator.caller(event.header("authorization")).await?;
        handler(Request::new(event, caller)).await
    };
    let panic =
        |_| Error::internal("the handler panicked; the panic's own line says where and why");
    AssertUnwindSafe(answer)
        .catch_unwind()
        .await
        .map_err(panic)?
}
