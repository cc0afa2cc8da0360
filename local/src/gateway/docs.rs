//! The reference of the API at `/docs`, which API Gateway does not have.

use std::path::Path;

use http_body_util::Full;
use hyper::{
    Method, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderValue, LOCATION},
    http::request::Parts,
};
use tokio::{process::Command, sync::Mutex};

use super::HttpResponse;
use crate::{Result, tools};

/// Whether a request is for the reference.
pub(super) fn is_for_docs(head: &Parts) -> bool {
    let path = head.uri.path();
    head.method == Method::GET && (path == "/docs" || path.starts_with("/docs/"))
}

/// Responds with the reference, or leads to its section about a type of errors.
pub(super) async fn respond(path: &str, port: u16) -> HttpResponse {
    if let Some(kind) = path.strip_prefix("/docs/errors/") {
        let mut response = text(StatusCode::FOUND, "text/plain", String::new());
        if let Ok(location) = HeaderValue::from_str(&format!("/docs#/section/{kind}")) {
            response.headers_mut().insert(LOCATION, location);
        }
        return response;
    }
    match build(port).await {
        Ok(page) => text(StatusCode::OK, "text/html", page),
        Err(error) => text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", error),
    }
}

/// Builds the page for each request, so that it shows the current openapi.yaml.
async fn build(port: u16) -> Result<String> {
    static BUILDING: Mutex<()> = Mutex::const_new(());
    let _building = BUILDING.lock().await;
    let dir = tools::home()?.join(format!("docs-{port}"));
    let output = Command::new(tools::workspace().join("docs/reference/build"))
        .args([&dir, Path::new(&format!("http://127.0.0.1:{port}"))])
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| format!("The reference cannot be built: {error}\n"))?;
    if !output.status.success() {
        return Err(format!(
            "The reference cannot be built. It needs Node.js 20 or later and, once, the network.\n{}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    std::fs::read_to_string(dir.join("index.html"))
        .map_err(|error| format!("The reference cannot be read: {error}\n"))
}

fn text(status: StatusCode, media_type: &'static str, body: String) -> HttpResponse {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
