//! Guarantee: the API works under the name of a stage and under the base path of a custom domain.

use e2e::{Cloud, Options, template};
use reqwest::Method;
use serde_json::json;

/// Returns the deployed template with a named stage.
fn with_stage(name: &str) -> String {
    let template = template().unwrap();
    let before = "    Type: AWS::Serverless::HttpApi\n    Properties:\n";
    assert_eq!(template.matches(before).count(), 1);
    template.replace(before, &format!("{before}      StageName: {name}\n"))
}

/// Runs one session through the API at `mount`, with every method.
async fn one_session(cloud: &Cloud, mount: &str) {
    let token = cloud.token(json!({ "sub": "ana" })).await.unwrap();
    let api = async |method: Method, path: &str, token: Option<&str>, body| {
        cloud.api(method, &format!("{mount}{path}"), token, body).await.unwrap()
    };
    let body = json!({ "sourceLanguage": "en" });
    let (status, opened) = api(Method::POST, "/sessions", Some(&token), Some(body)).await;
    assert_eq!(status, 201, "POST at {mount}: {opened}");
    let path = format!("/sessions/{}", opened["sessionId"].as_str().unwrap());

    let (status, view) = api(Method::GET, &path, None, None).await;
    assert_eq!((status, &view["status"]), (200, &json!("active")), "GET at {mount}: {view}");
    let change = json!({ "targetLanguages": ["de"] });
    let (status, changed) = api(Method::PATCH, &path, Some(&token), Some(change)).await;
    assert_eq!((status, &changed["targetLanguages"]), (200, &json!(["de"])), "PATCH at {mount}");
    let (status, _) = api(Method::DELETE, &path, Some(&token), None).await;
    assert_eq!(status, 204, "DELETE at {mount}");

    assert_eq!(api(Method::GET, "/health", None, None).await.0, 200);
    // The gateway decodes the id, which is not an id of a session.
    let (status, answer) = api(Method::GET, "/sessions/a%20b%3Fc", None, None).await;
    assert_eq!((status, answer["error"].is_string()), (404, true), "{answer}");
    let not_found = (404, json!({ "message": "Not Found" }));
    assert_eq!(api(Method::GET, "/nowhere", None, None).await, not_found);
}

#[tokio::test]
async fn every_method_works_under_a_named_stage_and_under_a_base_path() {
    let arguments = vec!["--base-path".to_owned(), "speech".to_owned()];
    let options = Options { arguments, time_scale: 1, ..Options::default() };
    let cloud = Cloud::start_on(options, &with_stage("dev")).await.unwrap();
    one_session(&cloud, "/dev").await;
    one_session(&cloud, "/speech").await;

    // With a named stage, the API is not at the root.
    let (status, answer) = cloud.api(Method::GET, "/health", None, None).await.unwrap();
    assert_eq!((status, answer), (404, json!({ "message": "Not Found" })));
}

#[tokio::test]
async fn a_base_path_leads_to_the_default_stage_too() {
    let arguments = vec!["--base-path".to_owned(), "speech/v1".to_owned()];
    let cloud =
        Cloud::start(Options { arguments, time_scale: 1, ..Options::default() }).await.unwrap();
    one_session(&cloud, "/speech/v1").await;
    one_session(&cloud, "").await;
}
