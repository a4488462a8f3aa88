//! Selects the route of a request: the most specific path first, its own method before `ANY`.

use std::collections::BTreeMap;

use http::Method;

use crate::wire::percent_decoded;
use sam_template::Route;

/// A route and the values of its path parameters, percent-decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) route: Route,
    pub(super) parameters: BTreeMap<String, String>,
}

/// The specificity of one part of a route's path; smaller is more specific.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Literal,
    Parameter,
    Greedy,
}

/// Returns the route for a method and a path (still percent-encoded), if there is one.
pub(super) fn find(routes: &[Route], method: &Method, path: &str) -> Option<Found> {
    routes
        .iter()
        .filter(|route| route.method == method.as_str() || route.method == "ANY")
        .filter_map(|route| {
            let (parts, parameters) = matched(&route.path, path)?;
            let found = Found { route: route.clone(), parameters };
            Some(((parts, route.method == "ANY"), found))
        })
        .min_by(|(left, _), (right, _)| left.cmp(right))
        .map(|(_, found)| found)
}

fn matched(pattern: &str, path: &str) -> Option<(Vec<Part>, BTreeMap<String, String>)> {
    let (mut parts, mut parameters) = (Vec::new(), BTreeMap::new());
    let mut rest = path.trim_start_matches('/').split('/').peekable();
    for wanted in pattern.trim_start_matches('/').split('/') {
        let name = wanted.strip_prefix('{').and_then(|wanted| wanted.strip_suffix('}'));
        match name {
            Some(name) if name.ends_with('+') => {
                let value = rest.by_ref().collect::<Vec<_>>().join("/");
                if value.is_empty() {
                    return None;
                }
                parts.push(Part::Greedy);
                let name = name.trim_end_matches('+').to_owned();
                parameters.insert(name, percent_decoded(&value)?);
            }
            Some(name) => {
                let value = rest.next().filter(|value| !value.is_empty())?;
                parts.push(Part::Parameter);
                parameters.insert(name.to_owned(), percent_decoded(value)?);
            }
            None => {
                rest.next().filter(|value| *value == wanted)?;
                parts.push(Part::Literal);
            }
        }
    }
    rest.peek().is_none().then_some((parts, parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &str, path: &str) -> Route {
        Route {
            method: method.to_owned(),
            path: path.to_owned(),
            function: String::new(),
            authorizer: None,
            throttle: None,
            timeout: std::time::Duration::from_secs(30),
        }
    }

    #[test]
    fn the_most_specific_route_wins() {
        let routes = [
            route("ANY", "/{proxy+}"),
            route("GET", "/sessions/{sessionId}"),
            route("POST", "/sessions"),
            route("GET", "/sessions/health"),
        ];
        let key = |method: Method, path: &str| {
            find(&routes, &method, path).map(|found| found.route.key())
        };
        assert_eq!(key(Method::POST, "/sessions").unwrap(), "POST /sessions");
        assert_eq!(key(Method::GET, "/sessions/a-b-1").unwrap(), "GET /sessions/{sessionId}");
        assert_eq!(key(Method::GET, "/sessions/health").unwrap(), "GET /sessions/health");
        assert_eq!(key(Method::PUT, "/sessions/a/b").unwrap(), "ANY /{proxy+}");
        assert_eq!(find(&routes[1..], &Method::PUT, "/sessions/a"), None);
        assert_eq!(find(&routes[1..], &Method::GET, "/sessions/"), None);
    }

    #[test]
    fn parameters_are_decoded() {
        let routes = [route("GET", "/sessions/{sessionId}")];
        let found = find(&routes, &Method::GET, "/sessions/a%20b").unwrap();
        assert_eq!(found.parameters["sessionId"], "a b");
    }
}
