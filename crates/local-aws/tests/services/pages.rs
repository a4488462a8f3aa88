//! The page at `/`, the speaker's page at `/speaker/`, and what the page calls.

use local_aws::Options;
use reqwest::Method;
use serde_json::json;

use crate::support::TestCloud;

#[tokio::test]
async fn a_browser_gets_a_page_whose_files_are_served() {
    let cloud = TestCloud::start(1).await;
    let page = cloud.send(cloud.call(Method::GET, "/").header("accept", "text/html,*/*")).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.header("content-security-policy").is_some_and(|it| it.contains("'none'")));
    assert_eq!(cloud.get("/_local/page/").await.body, page.body);
    let html = page.body.as_str().unwrap();
    let files = html.split('"').filter(|part| part.starts_with("/_local/page/"));
    let files: Vec<&str> = files.collect();
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        assert_eq!(cloud.get(file).await.status, 200, "{file}");
    }
    assert_eq!(cloud.get("/_local/page/none.js").await.status, 404);
    cloud.end().await;
}

#[tokio::test]
async fn the_speakers_page_is_served_from_its_folder_or_names_the_command() {
    let folder = std::env::temp_dir().join(format!("speaker-{}", uuid::Uuid::new_v4()));
    let options = Options { speaker_page: Some(folder.clone()), ..Options::default() };
    let cloud = TestCloud::with(options).await;
    let missing = cloud.get("/speaker").await;
    assert_eq!(missing.status, 404);
    assert!(missing.body.as_str().unwrap().contains("make speaker"), "{}", missing.body);

    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("index.html"), "<p>speak").unwrap();
    std::fs::write(folder.join("main.js"), "0").unwrap();
    assert_eq!(cloud.get("/speaker/").await.body, json!("<p>speak"));
    let script = cloud.get("/speaker/main.js").await;
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    for path in ["/speaker/other.js", "/speaker/..%2Fmain.js", "/speaker/a/main.js"] {
        assert_eq!(cloud.get(path).await.status, 404, "{path}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    cloud.end().await;
}

#[tokio::test]
async fn without_a_folder_the_api_answers_for_the_speakers_page() {
    let cloud = TestCloud::start(1).await;
    let answer = cloud.get("/speaker/").await;
    assert_eq!((answer.status, answer.body), (404, json!({"message": "Not Found"})));
    cloud.end().await;
}

#[tokio::test]
async fn faults_are_removed_by_their_fields() {
    let cloud = TestCloud::start(1).await;
    for service in ["sqs", "lambda", "dynamodb"] {
        cloud.fault(json!({"service": service, "target": "a"})).await;
    }
    let remove = async |query: &str| {
        let request = cloud.call(Method::DELETE, &format!("/_local/faults{query}"));
        assert_eq!(cloud.send(request).await.status, 204);
        cloud.get("/_local/faults").await.body["faults"].as_array().unwrap().len()
    };
    assert_eq!(remove("?service=sqs&target=b").await, 3);
    assert_eq!(remove("?service=sqs&target=a").await, 2);
    assert_eq!(remove("").await, 0);
    cloud.end().await;
}

#[tokio::test]
async fn the_processes_of_a_function_are_killed_on_demand() {
    let cloud = TestCloud::start(1).await;
    cloud.invoke("echo", json!({})).await;
    let kill = async |function: &str| {
        let path = format!("/_local/processes/{function}");
        cloud.send(cloud.call(Method::DELETE, &path)).await
    };
    assert_eq!(kill("echo").await.body, json!({"killed": 1}));
    assert_eq!(cloud.invoke("echo", json!({"a": 1})).await.body["event"], json!({"a": 1}));
    assert_eq!(cloud.function("echo-dev").await["started"], 2);
    assert_eq!(kill("nothing").await.status, 404);
    cloud.end().await;
}

#[tokio::test]
async fn pages_of_another_machine_are_rejected() {
    let cloud = TestCloud::start(1).await;
    let signed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kinesisvideo/aws4_request, \
                  SignedHeaders=host, Signature=0";
    let list = || cloud.call(Method::POST, "/listStreams").header("authorization", signed);
    let token = || cloud.call(Method::POST, "/_local/token").json(&json!({ "sub": "ana" }));
    for (name, value, status) in [
        ("origin", "https://evil.test", 403),
        ("origin", "null", 403),
        ("host", "evil.test", 403),
        ("origin", "http://localhost:5173", 200),
        ("host", "localhost", 200),
    ] {
        for request in [list().body("{}"), token()] {
            let answer = cloud.send(request.header(name, value)).await;
            assert_eq!(answer.status, status, "{name}: {value}: {}", answer.body);
        }
    }
    cloud.end().await;
}
