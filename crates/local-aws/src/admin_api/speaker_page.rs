//! `/speaker/`: the files of the folder [`Options::speaker_page`], for a page that speaks into a
//! session of this cloud.
//!
//! [`Options::speaker_page`]: crate::Options::speaker_page

use std::path::Path;

use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, header};

use super::page::content_type;

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
pub(crate) fn serves(path: &str) -> bool {
    path == ROOT.trim_end_matches('/') || path.starts_with(ROOT)
}

/// Answers a request for a path of the page with the files in `folder`.
pub(crate) async fn answer(folder: &Path, path: &str) -> Response {
    let Some(name) = path.strip_prefix(ROOT) else {
        return Redirect::permanent(ROOT).into_response();
    };
    let name = if name.is_empty() { "index.html" } else { name };
    let Some(kind) = file_type(name) else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
    match tokio::fs::read(folder.join(name)).await {
        Ok(bytes) => (headers, bytes).into_response(),
        Err(_) if name == "index.html" => {
            (StatusCode::NOT_FOUND, headers, NOT_BUILT).into_response()
        }
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Returns the content type of a file of the folder; `None` if the name leaves the folder or has no
/// known extension.
fn file_type(name: &str) -> Option<&'static str> {
    let is_plain = |sign: u8| sign.is_ascii_alphanumeric() || b".-_".contains(&sign);
    let stays = !name.starts_with('.') && name.bytes().all(is_plain);
    content_type(name).filter(|_| stays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_folder_have_a_type() {
        assert_eq!(file_type("index.html"), content_type("index.html"));
        assert_eq!(file_type("main.js.map"), Some("application/json"));
        for name in
            ["", "..", "../main.js", "a/main.js", "a\\main.js", "%2e%2e.js", ".env", "key.pem"]
        {
            assert_eq!(file_type(name), None, "{name}");
        }
    }

    #[test]
    fn paths_of_the_page_start_with_its_address() {
        for (path, is_served) in [
            ("/speaker", true),
            ("/speaker/", true),
            ("/speaker/main.js", true),
            ("/speakers", false),
            ("/", false),
        ] {
            assert_eq!(serves(path), is_served, "{path}");
        }
    }
}
