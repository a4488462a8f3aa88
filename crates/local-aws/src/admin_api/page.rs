//! The page at `/` and `/_local/page/`: HTML, CSS and compiled TypeScript of the folder `page` of
//! this crate, part of the program. The page reads `/_local/live`.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Refused, not_found};

/// The files by name.
const FILES: [(&str, &str); 10] = [
    ("index.html", INDEX),
    ("page.css", include_str!("../../page/page.css")),
    ("page.js", include_str!("../../page/page.js")),
    ("dom.js", include_str!("../../page/dom.js")),
    ("faults.js", include_str!("../../page/faults.js")),
    ("format.js", include_str!("../../page/format.js")),
    ("live.js", include_str!("../../page/live.js")),
    ("sessions.js", include_str!("../../page/sessions.js")),
    ("waveform.js", include_str!("../../page/waveform.js")),
    ("words.js", include_str!("../../page/words.js")),
];
const INDEX: &str = include_str!("../../page/index.html");

/// The page loads and calls this server only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; media-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Returns whether a client asks for a page: browsers accept `text/html`, curl and SDKs anything.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// Redirects to the page's own address.
pub(super) async fn redirect() -> Redirect {
    Redirect::permanent("/_local/page/")
}

/// Returns the page.
pub(super) async fn show() -> Response {
    index()
}

/// Returns the page.
pub(crate) fn index() -> Response {
    answer("index.html", INDEX)
}

/// Returns a file of the page.
pub(super) async fn file(Path(name): Path<String>) -> Result<Response, Refused> {
    let file = FILES.iter().find(|(known, _)| *known == name);
    let (name, text) = file.ok_or_else(|| not_found("the page has no such file"))?;
    Ok(answer(name, text))
}

/// Returns the content type of a file by its name; `None` if the name has no known extension.
pub(super) fn content_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "map" => Some("application/json"),
        _ => None,
    }
}

fn answer(name: &str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, content_type(name).unwrap_or_default()),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        // The files change with the program.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_the_page_names_is_served() {
        let names = |text: &str| -> Vec<String> {
            let quoted = text.split('"');
            let files = quoted.filter(|it| it.ends_with(".js") || it.ends_with(".css"));
            files.map(|it| it.rsplit('/').next().unwrap_or_default().to_owned()).collect()
        };
        for (file, text) in FILES {
            for name in names(text) {
                assert!(FILES.iter().any(|(known, _)| *known == name), "{file} names {name}");
            }
        }
        assert_eq!(names(INDEX), ["page.css", "page.js"]);
    }

    #[test]
    fn only_a_browser_gets_the_page() {
        let accepting = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            is_wanted(&headers)
        };
        assert!(accepting("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!accepting("*/*"));
        assert!(!is_wanted(&HeaderMap::new()));
    }
}
