//! A request as a handler sees it, and the order in which its parts are checked.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    Error, Result,
    auth::Caller,
    http::{etag::Tags, event::Event, form, json, urlencoded},
    model::{Fingerprint, Id, IdempotencyKey, IfMatch, Version, input::Value},
};

/// The largest body, in bytes: 1 MiB.
pub const MAX_BODY_BYTES: usize = 1_048_576;

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

    /// Who is calling.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The body, for an endpoint that takes one and no query.
    ///
    /// # Errors
    /// In this order: `media_type_not_supported`, `body_too_large`, and `unknown` for a query
    /// parameter.
    pub fn body(&self) -> Result<Body> {
        let media_type = self.media_type()?;
        let bytes = self.body_bytes()?;
        self.no_query()?;
        Ok(Body { media_type, bytes })
    }

    /// The key in `Idempotency-Key`, where there is one.
    ///
    /// # Errors
    /// Returns `repeated` for several keys, and `invalid` for a malformed one.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>> {
        self.event
            .header("idempotency-key")
            .map(IdempotencyKey::parse)
            .transpose()
    }

    /// What `If-Match` makes a write depend on.
    ///
    /// # Errors
    /// `invalid` where it is malformed.
    pub fn if_match(&self) -> Result<IfMatch> {
        match self.event.header("if-match") {
            Some(value) => Tags::parse("If-Match", value)?.if_match(),
            None => Ok(IfMatch::Any),
        }
    }

    /// Whether `If-None-Match` says that the client has this version already; it is read before
    /// anything is looked up, so that a malformed one is told first.
    ///
    /// # Errors
    /// `invalid` where it is malformed.
    pub fn if_none_match(&self) -> Result<impl Fn(&Version) -> bool> {
        let value = self.event.header("if-none-match");
        let tags = value
            .map(|value| Tags::parse("If-None-Match", value))
            .transpose()?;
        Ok(move |version: &Version| tags.as_ref().is_some_and(|tags| tags.include(version)))
    }

    /// The parameters of the query, decoded, in the order in which they came.
    ///
    /// # Errors
    /// `invalid` for one that has a bad escape or is not UTF-8.
    pub fn query(&self) -> Result<Vec<(String, Value)>> {
        let mut parameters = Vec::new();
        for (name, value) in urlencoded::pairs(self.event.query()) {
            let name = urlencoded::decode(name).map_err(|reason| Error::Invalid {
                param: None,
                reason: format!("The query {reason}"),
            })?;
            let value =
                urlencoded::decode(value).map_err(|reason| Error::invalid(&name, reason))?;
            parameters.push((name, Value::Text(value)));
        }
        Ok(parameters)
    }

    /// Makes sure that there is no query, for an endpoint that takes none.
    ///
    /// # Errors
    /// `unknown` for the first parameter, or `invalid` as [`Request::query`].
    pub fn no_query(&self) -> Result<()> {
        match self.query()?.into_iter().next() {
            Some((param, _)) => Err(Error::Unknown { param, known: &[] }),
            None => Ok(()),
        }
    }

    /// The id of the group that the path names.
    ///
    /// # Errors
    /// `group_not_found` where it is not well-formed: then there is no such group.
    pub fn group_id(&self) -> Result<Id> {
        let id = self.event.path_parameter("id");
        Id::from_text(id).ok_or(Error::GroupNotFound)
    }

    /// The media type of the body. Its parameters do not matter; upper and lower case are the same.
    fn media_type(&self) -> Result<Option<MediaType>> {
        let Some(content_type) = self.event.header("content-type") else {
            return if self.event.body().is_empty() {
                Ok(None)
            } else {
                Err(Error::MediaTypeNotSupported)
            };
        };
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

/// A request that no route takes.
#[derive(Debug)]
pub struct UnroutedRequest(pub(crate) Event);

impl UnroutedRequest {
    /// The method.
    pub fn method(&self) -> &str {
        self.0.method()
    }

    /// The path, decoded, and without the stage.
    pub fn path(&self) -> &str {
        self.0.path()
    }
}

/// A body that has come whole and in a media type that we take, and is not yet read.
#[derive(Debug)]
pub struct Body {
    media_type: Option<MediaType>,
    bytes: Vec<u8>,
}

impl Body {
    /// What tells this body from another.
    pub fn fingerprint(&self) -> Fingerprint {
        let media_type = match self.media_type {
            None => "",
            Some(MediaType::Json) => "application/json",
            Some(MediaType::Form) => "application/x-www-form-urlencoded",
        };
        Fingerprint::of(media_type, &self.bytes)
    }

    /// What the body gives. No body, or an empty one, gives nothing.
    ///
    /// # Errors
    /// `malformed_body`, and `invalid` for a body that is no object.
    pub fn members(&self) -> Result<Vec<(String, Value)>> {
        match self.media_type {
            None => Ok(Vec::new()),
            _ if self.bytes.is_empty() => Ok(Vec::new()),
            Some(MediaType::Form) => form::parse(&self.bytes),
            Some(MediaType::Json) => match json::parse(&self.bytes)? {
                Value::Object(members) => Ok(members),
                _ => Err(Error::Invalid {
                    param: None,
                    reason: "The body must be a JSON object".to_owned(),
                }),
            },
        }
    }
}

/// The media types of bodies that we take.
#[derive(Clone, Copy, Debug)]
enum MediaType {
    Json,
    Form,
}
