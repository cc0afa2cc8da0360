//! The edge of the functions for operators, which are invoked by name and never over HTTP.

use lambda_http::lambda_runtime::{self, Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    Error, Result,
    http::parse_json,
    model::input::Value,
    telemetry::{Invocation, observe},
};

/// Serves invocations with `handler`, which gets the members of the payload, until Lambda ends the
/// instance. Who may invoke the function, IAM decides.
///
/// An error becomes a function error: its code as the type, and its message.
///
/// # Errors
/// Where the Runtime API cannot be reached or breaks its protocol; then the instance is of no use.
pub async fn serve<H, A>(handler: H) -> Result<(), lambda_http::Error>
where
    H: AsyncFn(Vec<(String, Value)>) -> Result<A>,
    A: Serialize,
{
    let invoke = async |LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>| {
        let invocation = Invocation::begin(context.request_id, None);
        let answer = async { handler(members(&payload)?).await };
        let (answer, observed) = observe(answer).await;
        invocation.end(None, answer.as_ref().err(), &observed);
        answer.map_err(diagnostic)
    };
    lambda_runtime::run(service_fn(invoke)).await
}

fn members(payload: &RawValue) -> Result<Vec<(String, Value)>> {
    match parse_json(payload.get().as_bytes())? {
        Value::Object(members) => Ok(members),
        _ => {
            let reason = "The payload must be a JSON object".to_owned();
            Err(Error::Invalid {
                param: None,
                reason,
            })
        }
    }
}

fn diagnostic(error: Error) -> Diagnostic {
    Diagnostic {
        error_type: error.code().to_owned(),
        error_message: error.to_string(),
    }
}
