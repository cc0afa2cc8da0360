//! The routes of the HTTP API, and how many requests each accepts.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Instant,
};

use hyper::Method;
use percent_encoding::percent_decode_str;

use crate::{
    lambda::{Function, Functions},
    lock, template,
};

/// All routes, the most specific first. API Gateway prefers a full match to one with a greedy
/// variable (`{proxy+}`), and both to `$default`. See
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>.
pub(crate) struct Routes(Vec<Route>);

pub(crate) struct Route {
    pub definition: template::Route,
    pub key: String,
    pub function: Arc<Function>,
    bucket: Option<Bucket>,
}

impl Routes {
    pub(crate) fn new(functions: &Functions) -> Self {
        let mut routes = Vec::new();
        for function in functions.values() {
            let definitions = function.definition.routes.iter();
            routes.extend(definitions.map(|definition| Route {
                definition: definition.clone(),
                key: definition.key(),
                function: function.clone(),
                bucket: definition.throttle.map(Bucket::new),
            }));
        }
        routes.sort_by_key(|route| {
            let definition = &route.definition;
            let rank = |segment: &str| {
                u8::from(segment.starts_with('{')) + u8::from(segment.ends_with("+}"))
            };
            let ranks: Vec<_> = definition.path.split('/').map(rank).collect();
            let is_greedy = definition.path.ends_with("+}");
            (
                definition.is_default(),
                is_greedy,
                ranks,
                definition.method == "ANY",
            )
        });
        Self(routes)
    }

    /// Finds the route of a request, and the decoded values of its path parameters.
    pub(crate) fn find(
        &self,
        method: &Method,
        path: &str,
    ) -> Option<(&Route, BTreeMap<String, String>)> {
        self.0.iter().find_map(|route| {
            let definition = &route.definition;
            let accepts_method = definition.is_default()
                || ["ANY", method.as_str()].contains(&definition.method.as_str());
            let parameters = accepts_method.then(|| route.match_path(path)).flatten()?;
            Some((route, parameters))
        })
    }
}

impl Route {
    fn match_path(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let mut parameters = BTreeMap::new();
        if self.definition.is_default() {
            return Some(parameters);
        }
        let mut rest = Some(path);
        for segment in self.definition.path.split('/') {
            let name = segment
                .strip_prefix('{')
                .and_then(|name| name.strip_suffix('}'));
            let (value, remaining) = match (rest?, name.is_some_and(|name| name.ends_with('+'))) {
                (rest, true) => (rest, None),
                (rest, false) => rest
                    .split_once('/')
                    .map_or((rest, None), |(value, rest)| (value, Some(rest))),
            };
            let decoded = percent_decode_str(value).decode_utf8_lossy();
            match name {
                Some(name) if !decoded.is_empty() => {
                    parameters.insert(name.trim_end_matches('+').to_owned(), decoded.into_owned());
                }
                None if decoded == segment => {}
                _ => return None,
            }
            rest = remaining;
        }
        rest.is_none().then_some(parameters)
    }

    /// Takes a token from the route's bucket. Returns whether the route accepts one more request.
    pub(crate) fn take_token(&self) -> bool {
        self.bucket.as_ref().is_none_or(Bucket::take)
    }
}

/// A [token bucket](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html).
struct Bucket {
    rate: f64,
    burst: f64,
    state: Mutex<(f64, Instant)>,
}

impl Bucket {
    /// Creates a full bucket. `rate` is in requests per second, `burst` in requests.
    fn new((rate, burst): (f64, f64)) -> Self {
        Self {
            rate,
            burst,
            state: Mutex::new((burst, Instant::now())),
        }
    }

    fn take(&self) -> bool {
        let (tokens, last) = &mut *lock(&self.state);
        let now = Instant::now();
        *tokens = (*tokens + self.rate * now.duration_since(*last).as_secs_f64()).min(self.burst);
        *last = now;
        let has_token = *tokens >= 1.0;
        if has_token {
            *tokens -= 1.0;
        }
        has_token
    }
}
