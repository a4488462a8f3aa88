//! `/` and `/_local` answer with an index, and the routes of the template keep their paths.

use local_aws::Options;
use reqwest::Method;
use serde_json::json;

use crate::support::TestCloud;

#[tokio::test]
async fn the_index_lists_endpoints_that_exist() {
    let cloud = TestCloud::start(1).await;
    let index = cloud.get("/_local").await;
    assert_eq!(index.status, 200);
    assert_eq!(
        (&index.body["name"], &index.body["url"]),
        (&json!("local-cloud"), &json!(cloud.url()))
    );
    let endpoints = index.body["endpoints"].as_array().unwrap();
    assert!(!endpoints.is_empty());
    let unknown = cloud.get("/_local/elsewhere").await;
    assert_eq!(unknown.status, 404);
    for endpoint in endpoints {
        let path = endpoint["path"].as_str().unwrap();
        for method in endpoint["methods"].as_str().unwrap().split(", ") {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = cloud.call(method.clone(), path);
            if path == "/_local/live" {
                // It has no end.
                assert_eq!(request.send().await.unwrap().status(), 200, "{path}");
                continue;
            }
            let answer = cloud.send(request).await;
            assert_ne!(answer.status, 405, "{method} {path}");
            assert_ne!(answer.body, unknown.body, "{method} {path}");
        }
    }
    assert_eq!(cloud.get("/_local/").await.body["name"], "local-cloud");
}

#[tokio::test]
async fn the_root_is_an_index_only_where_the_api_has_no_route() {
    let cloud = TestCloud::start(1).await;
    let page = cloud.get("/").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/plain; charset=utf-8"))
    );
    let text = page.body.as_str().unwrap();
    for part in ["GET /open/{name}", "POST /things  (token)", "/_local/state", cloud.url()] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let other = cloud.send(cloud.call(Method::POST, "/")).await;
    assert_eq!((other.status, other.body), (404, json!({"message": "Not Found"})));

    let folder = std::env::temp_dir().join(format!("root-route-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder).unwrap();
    let template = folder.join("template.yaml");
    let text = "Resources: { F: { Type: AWS::Serverless::Function, Properties: { CodeUri: echo, \
                Events: { Root: { Type: HttpApi, Properties: { Method: get, Path: / } } } } } }";
    std::fs::write(&template, text).unwrap();
    let options = Options { template: Some(template), ..Options::default() };
    let running = local_aws::start(options).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.get(format!("{}/", running.url())).send().await.unwrap();
    assert!(answer.headers().contains_key("apigw-requestid"), "the API's own route answers");
    running.shutdown().await;
    std::fs::remove_dir_all(&folder).unwrap();
}
