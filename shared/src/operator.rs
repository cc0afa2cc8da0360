//! The edge of the functions for operators, which are invoked by name and never over HTTP.

use std::time::Instant;

use lambda_http::lambda_runtime::{self, Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    Error, Result, deadline,
    input::{RawMembers, json},
    telemetry::{Invocation, with_stats},
};

/// Serves invocations with `handler`, until Lambda ends the instance. The handler gets the members of the
/// payload, and the moment by which it must return. IAM decides who may invoke the function.
///
/// An error becomes a function error: its code as the type, and its message.
///
/// # Errors
/// Returns an error if the Runtime API cannot be reached or breaks its protocol; then the instance is of no use.
pub async fn serve<H, A>(handler: H) -> Result<(), lambda_http::Error>
where
    H: AsyncFn(RawMembers, Instant) -> Result<A>,
    A: Serialize,
{
    let invoke = async |LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>| {
        let deadline = deadline::of(&context);
        let invocation = Invocation::begin(context.request_id, None);
        let result = async {
            let members = json::parse_object(payload.get().as_bytes(), "The payload")?;
            handler(members, deadline).await
        };
        let (result, stats) = with_stats(result).await;
        invocation.end(None, result.as_ref().err(), &stats);
        result.map_err(diagnostic)
    };
    lambda_runtime::run(service_fn(invoke)).await
}

fn diagnostic(error: Error) -> Diagnostic {
    let error_message = match error {
        // The message for callers of the API is about groups.
        Error::OutcomeUnknown(_) => "The database did not confirm all changes, and some may have been made. Invoke the function again. A token that was issued but not shown can be revoked by its name.".to_owned(),
        _ => error.to_string(),
    };
    Diagnostic {
        error_type: error.code().to_owned(),
        error_message,
    }
}
