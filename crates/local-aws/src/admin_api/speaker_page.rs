//! `/speaker/`: the files of the folder [`Options::speaker_page`], for a page that speaks into a
//! session of this cloud.
//!
//! [`Options::speaker_page`]: crate::Options::speaker_page

use std::path::Path;

use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, header};

/// The page's address, with which the paths of its files begin.
const ROOT: &str = "/speaker/";

/// The answer while the page is not built.
const NOT_BUILT: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"color-scheme\" content=\"light dark\">
<title>Speaker: not built</title>
<h1>The speaker's page is not built</h1>
<p>Run this command in the repository, then load this page again. It needs Node.js 20 or later.</p>
<pre><code>make speaker</code></pre>
<p><a href=\"/\">Back to the local cloud</a></p>
</html>
";

/// Returns whether a path is the page's, or a file's of it.
pub(crate) fn takes(path: &str) -> bool {
    path == ROOT.trim_end_matches('/') || path.starts_with(ROOT)
}

/// Answers a request for a path of the page with the files in `folder`.
pub(crate) async fn answer(folder: &Path, path: &str) -> Response {
    let Some(name) = path.strip_prefix(ROOT) else {
        return Redirect::permanent(ROOT).into_response();
    };
    let name = if name.is_empty() { "index.html" } else { name };
    let Some(kind) = kind(name) else { return StatusCode::NOT_FOUND.into_response() };
    let headers = |kind| [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
    match tokio::fs::read(folder.join(name)).await {
        Ok(bytes) => (headers(kind), bytes).into_response(),
        Err(_) if name == "index.html" => {
            (StatusCode::NOT_FOUND, headers(HTML), NOT_BUILT).into_response()
        }
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

const HTML: &str = "text/html; charset=utf-8";

/// Returns the type of a file by its name; `None` if the name leaves the folder or has no known
/// type.
fn kind(name: &str) -> Option<&'static str> {
    let is_plain = |sign: u8| sign.is_ascii_alphanumeric() || b".-_".contains(&sign);
    let (stem, extension) = name.rsplit_once('.')?;
    if stem.starts_with('.') || !name.bytes().all(is_plain) {
        return None;
    }
    match extension {
        "html" => Some(HTML),
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "map" => Some("application/json"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_folder_have_a_type() {
        assert_eq!(kind("index.html"), Some(HTML));
        assert_eq!(kind("main.js.map"), Some("application/json"));
        for name in
            ["", "..", "../main.js", "a/main.js", "a\\main.js", "%2e%2e.js", ".env", "key.pem"]
        {
            assert_eq!(kind(name), None, "{name}");
        }
    }

    #[test]
    fn paths_of_the_page_start_with_its_address() {
        for (path, taken) in [
            ("/speaker", true),
            ("/speaker/", true),
            ("/speaker/main.js", true),
            ("/speakers", false),
            ("/", false),
        ] {
            assert_eq!(takes(path), taken, "{path}");
        }
    }
}
