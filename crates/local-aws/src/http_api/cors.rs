//! Cross-origin requests, handled as API Gateway does for an HTTP API with CORS (Developer Guide,
//! "Configure CORS for HTTP APIs"): it answers OPTIONS without a route, adds its own headers to
//! functions' answers, and removes theirs. Without an allowed `Origin` it adds no such headers; a
//! preflight must also name its method. API Gateway's own answers, for example a 401, get no CORS
//! headers here, because the guide describes functions' answers only.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use sam_template::Cors;

/// Returns the answer to an OPTIONS request without a route: 204, with the CORS headers for a
/// preflight of an allowed origin.
pub(super) fn preflight(cors: &Cors, request: &HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if request.contains_key(ACCESS_CONTROL_REQUEST_METHOD) && allow(cors, request, headers) {
        set_list(headers, ACCESS_CONTROL_ALLOW_METHODS, &cors.allow_methods);
        set_list(headers, ACCESS_CONTROL_ALLOW_HEADERS, &cors.allow_headers);
        if let Some(age) = cors.max_age {
            headers.insert(ACCESS_CONTROL_MAX_AGE, age.into());
        }
    }
    response
}

/// Replaces the CORS headers of a function's answer with those of the API.
pub(super) fn dress(cors: &Cors, request: &HeaderMap, headers: &mut HeaderMap) {
    let is_cors = |name: &HeaderName| name.as_str().starts_with("access-control-");
    let own: Vec<_> = headers.keys().filter(|name| is_cors(name)).cloned().collect();
    for name in own {
        headers.remove(name);
    }
    if allow(cors, request, headers) {
        set_list(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose_headers);
    }
}

/// Adds the header for an allowed origin. Returns whether the origin is allowed.
fn allow(cors: &Cors, request: &HeaderMap, headers: &mut HeaderMap) -> bool {
    let Some(origin) = request.get(ORIGIN) else { return false };
    let text = origin.to_str().unwrap_or_default();
    let allowed = match cors.allow_origins.iter().any(|own| own == "*") {
        // With credentials, browsers reject `*`: the origin must be named.
        true if !cors.allow_credentials => HeaderValue::from_static("*"),
        true => origin.clone(),
        false if cors.allow_origins.iter().any(|own| covers(own, text)) => origin.clone(),
        false => return false,
    };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    if cors.allow_credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    true
}

/// `https://*` matches every origin of that scheme; any other value matches only itself.
fn covers(own: &str, origin: &str) -> bool {
    match own.strip_suffix("://*") {
        Some(scheme) => origin.split_once("://").is_some_and(|(begin, _)| begin == scheme),
        None => own == origin,
    }
}

fn set_list(headers: &mut HeaderMap, name: HeaderName, items: &[String]) {
    if let Ok(value) = HeaderValue::from_str(&items.join(","))
        && !items.is_empty()
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origins: &[&str], credentials: bool, origin: &str) -> Option<String> {
        let cors = Cors {
            allow_origins: origins.iter().map(|&one| one.to_owned()).collect(),
            allow_credentials: credentials,
            ..Cors::default()
        };
        let mut request = HeaderMap::new();
        request.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
        let mut headers = HeaderMap::new();
        allow(&cors, &request, &mut headers);
        let value = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN)?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn an_origin_is_allowed_to_the_letter() {
        let (one, two) = ("https://a.example", "https://b.example");
        assert_eq!(allowed(&[one, two], false, two).as_deref(), Some(two));
        for other in
            ["https://a.example.evil", "http://a.example", "https://A.example", "null", "", "*"]
        {
            assert_eq!(allowed(&[one, two], false, other), None, "{other}");
        }
    }

    #[test]
    fn what_a_function_says_of_cors_is_dropped() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("*"));
        headers.insert("x-own", HeaderValue::from_static("stays"));
        dress(&Cors::default(), &HeaderMap::new(), &mut headers);
        assert_eq!(headers.into_iter().count(), 1);
    }

    #[test]
    fn every_origin_and_every_one_of_a_scheme() {
        assert_eq!(allowed(&["*"], false, "https://x").as_deref(), Some("*"));
        assert_eq!(allowed(&["*"], true, "https://x").as_deref(), Some("https://x"));
        assert_eq!(allowed(&["https://*"], false, "https://x").as_deref(), Some("https://x"));
        assert_eq!(allowed(&["https://*"], false, "http://x"), None);
    }
}
