//! A request as a handler gets it, and the checks of its parts.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    conditions::{IfNoneMatch, Tags},
    event::Event,
    idempotency_key,
};
use crate::{
    Error, MAX_BODY_BYTES, Result,
    input::{Input, RawMembers, form, json, urlencoded},
    model::{Caller, Fingerprint, Id, IdempotencyKey, IfMatch},
};

/// A request of a known caller.
#[derive(Debug)]
pub struct Request {
    caller: Caller,
    event: Event,
}

impl Request {
    pub(crate) fn new(event: Event, caller: Caller) -> Self {
        Self { caller, event }
    }

    /// The sender of the request.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Returns the body, for an endpoint with a body and without a query.
    ///
    /// # Errors
    /// Returns, in this order, `media_type_not_supported`, `body_too_large`, and `unknown` for a query
    /// parameter.
    pub fn body(&self) -> Result<Body> {
        let media_type = self.media_type()?;
        let bytes = self.body_bytes()?;
        self.no_query()?;
        Ok(Body { media_type, bytes })
    }

    /// Returns the key in `Idempotency-Key`, if there is one.
    ///
    /// # Errors
    /// Returns `repeated` for several keys, and `invalid` for a malformed one.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>> {
        self.event
            .header("idempotency-key")
            .map(idempotency_key::parse)
            .transpose()
    }

    /// Returns the versions that a write requires by `If-Match`.
    ///
    /// # Errors
    /// Returns `invalid` if it is malformed.
    pub fn if_match(&self) -> Result<IfMatch> {
        match self.event.header("if-match") {
            Some(value) => Tags::parse("If-Match", value)?.if_match(),
            None => Ok(IfMatch::Any),
        }
    }

    /// Returns the versions that the client already has by `If-None-Match`.
    ///
    /// # Errors
    /// Returns `invalid` if it is malformed.
    pub fn if_none_match(&self) -> Result<IfNoneMatch<'_>> {
        IfNoneMatch::parse(self.event.header("if-none-match"))
    }

    /// Returns the parameters of the query, decoded, in their order.
    ///
    /// # Errors
    /// Returns `invalid` if one has a malformed escape or is not UTF-8.
    pub fn query(&self) -> Result<RawMembers> {
        let mut parameters = Vec::new();
        for (name, value) in urlencoded::pairs(self.event.query()) {
            let name = urlencoded::decode(name).map_err(|reason| Error::Invalid {
                param: None,
                reason: format!("The query {reason}"),
            })?;
            let value =
                urlencoded::decode(value).map_err(|reason| Error::invalid(&name, reason))?;
            parameters.push((name, Input::FormText(value)));
        }
        Ok(parameters)
    }

    /// Checks that there is no query, for an endpoint without one.
    ///
    /// # Errors
    /// Returns `unknown` for the first parameter, or `invalid` as [`Request::query`] does.
    pub fn no_query(&self) -> Result<()> {
        match self.query()?.into_iter().next() {
            Some((param, _)) => Err(Error::Unknown { param, known: &[] }),
            None => Ok(()),
        }
    }

    /// Returns the id of the group in the path.
    ///
    /// # Errors
    /// Returns `group_not_found` if it is malformed, because there is no such group.
    pub fn group_id(&self) -> Result<Id> {
        let id = self.event.path_parameter("id");
        Id::from_text(id).ok_or(Error::GroupNotFound)
    }

    /// Returns the media type of the body, or `None` if the body is empty. Ignores parameters and letter case, and
    /// the Content-Type of an empty body, because API Gateway adds one to some requests.
    fn media_type(&self) -> Result<Option<MediaType>> {
        if self.event.body().is_empty() {
            return Ok(None);
        }
        let content_type = self.event.header("content-type").unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") {
            Ok(Some(MediaType::Json))
        } else if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Ok(Some(MediaType::Form))
        } else {
            Err(Error::MediaTypeNotSupported)
        }
    }

    fn body_bytes(&self) -> Result<Vec<u8>> {
        let body = self.event.body();
        let bytes = if self.event.is_base64_encoded() {
            let reason = |_| Error::MalformedBody("it is not valid base64".to_owned());
            STANDARD.decode(body).map_err(reason)?
        } else {
            body.as_bytes().to_vec()
        };
        if bytes.len() > MAX_BODY_BYTES {
            Err(Error::BodyTooLarge)
        } else {
            Ok(bytes)
        }
    }
}

/// A request that matches no other route.
#[derive(Debug)]
pub struct UnroutedRequest(pub(crate) Event);

impl UnroutedRequest {
    /// The method.
    pub fn method(&self) -> &str {
        self.0.method()
    }

    /// The path, decoded and without the stage.
    pub fn path(&self) -> &str {
        self.0.path()
    }
}

/// A body of a supported media type and size, not yet parsed.
#[derive(Debug)]
pub struct Body {
    media_type: Option<MediaType>,
    bytes: Vec<u8>,
}

impl Body {
    /// Returns the fingerprint, by which this body is compared with another.
    pub fn fingerprint(&self) -> Fingerprint {
        let media_type = match self.media_type {
            None => "",
            Some(MediaType::Json) => "application/json",
            Some(MediaType::Form) => "application/x-www-form-urlencoded",
        };
        Fingerprint::of(media_type, &self.bytes)
    }

    /// Parses the members of the body. An empty body has none.
    ///
    /// # Errors
    /// Returns `malformed_body` if it cannot be parsed, and `invalid` if it is not an object.
    pub fn members(&self) -> Result<RawMembers> {
        match self.media_type {
            None => Ok(RawMembers::new()),
            Some(MediaType::Form) => form::parse(&self.bytes),
            Some(MediaType::Json) => json::parse_object(&self.bytes, "The body"),
        }
    }
}

/// The supported media types.
#[derive(Clone, Copy, Debug)]
enum MediaType {
    Json,
    Form,
}
