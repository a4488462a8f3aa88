//! Pages of other origins: the preflight, and the headers without which a browser hides the answer
//! from a page.

use crate::support::{Answer, TestCloud};
use reqwest::Method;
use serde_json::json;

const APP: &str = "https://app.test";

async fn preflight(cloud: &TestCloud, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = cloud.call(Method::OPTIONS, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    cloud.send(request).await
}

fn cors_headers(answer: &Answer) -> usize {
    let names = answer.headers.keys().map(reqwest::header::HeaderName::as_str);
    names.filter(|name| name.starts_with("access-control-")).count()
}

#[tokio::test]
async fn a_preflight_is_answered_by_the_gateway_whatever_the_route() {
    let cloud = TestCloud::start(1).await;
    let asked = [("origin", APP), ("access-control-request-method", "POST")];
    for path in ["/things", "/open/x", "/nowhere"] {
        let answer = preflight(&cloud, path, &asked).await;
        assert_eq!((answer.status, &answer.body), (204, &json!(null)), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET,POST"));
        let headers = Some("authorization,content-type");
        assert_eq!(answer.header("access-control-allow-headers"), headers);
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert!(answer.header("apigw-requestid").is_some());
    }
    assert_eq!(cloud.function("echo-dev").await["invocations"], 0);
}

#[tokio::test]
async fn what_is_no_preflight_of_an_allowed_origin_is_204_and_allows_nothing() {
    let cloud = TestCloud::start(1).await;
    let method = ("access-control-request-method", "POST");
    for headers in [
        &[("origin", "https://elsewhere.test"), method][..],
        &[("origin", "https://app.test.evil"), method],
        &[("origin", "null"), method],
        &[("origin", APP)],
        &[method],
        &[],
    ] {
        let answer = preflight(&cloud, "/things", headers).await;
        assert_eq!((answer.status, cors_headers(&answer)), (204, 0), "{headers:?}");
    }
}

#[tokio::test]
async fn an_answer_names_the_origin_only_when_it_is_allowed() {
    let cloud = TestCloud::start(1).await;
    let get = async |origin: &str| {
        cloud.send(cloud.call(Method::GET, "/open/x").header("origin", origin)).await
    };
    let answer = get(APP).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
    assert_eq!(answer.header("access-control-expose-headers"), Some("retry-after"));
    let answer = get("https://elsewhere.test").await;
    assert_eq!((answer.status, cors_headers(&answer)), (200, 0));
    let answer = cloud.get("/open/x").await;
    assert_eq!((answer.status, cors_headers(&answer)), (200, 0));
}

#[tokio::test]
async fn a_route_that_takes_options_itself_gets_them() {
    let cloud = TestCloud::start(1).await;
    let asked = [("origin", APP), ("access-control-request-method", "POST")];
    let answer = preflight(&cloud, "/slow", &asked).await;
    assert_eq!((answer.status, &answer.body["event"]["routeKey"]), (200, &json!("ANY /slow")));
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
}
