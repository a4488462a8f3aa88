//! Guarantee: session ids cannot be enumerated quickly: the view has a request limit for all
//! callers together, which does not affect other routes. It exposes neither ARNs nor the speaker.

use e2e::{Cloud, Options};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn the_view_is_throttled_by_its_own_parameters() {
    // One view per second in real time: the burst of three is used up before the next token.
    let parameters = ["ViewsPerSecond=1", "ViewBurst=3"].map(str::to_owned).to_vec();
    let options = Options { parameters, time_scale: 1, ..Options::default() };
    let cloud = Cloud::start(options).await.unwrap();
    let before = cloud.invocations("session-http-handler").await.unwrap();
    let tries = (0..40).map(|number| {
        let cloud = &cloud;
        async move {
            let path = format!("/sessions/blessed-shepherd-{}", 100 + number);
            cloud.api(Method::GET, &path, None, None).await.unwrap()
        }
    });
    let started = std::time::Instant::now();
    let answers = futures_util::future::join_all(tries).await;
    let seconds = started.elapsed().as_secs() + 1;
    let refused: Vec<_> = answers.iter().filter(|(status, _)| *status == 429).collect();
    let passed = answers.len() - refused.len();
    let most = 3 + usize::try_from(seconds).unwrap();
    assert!((3..=most).contains(&passed), "{passed} passed within {seconds} s");
    assert!(refused.iter().all(|(_, body)| *body == json!({ "message": "Too Many Requests" })));
    let invoked = cloud.invocations("session-http-handler").await.unwrap() - before;
    assert_eq!(usize::try_from(invoked).unwrap(), passed, "a refusal costs no invocation");

    // Other routes have their own token buckets.
    assert_eq!(cloud.api(Method::GET, "/health", None, None).await.unwrap().0, 200);
}

#[tokio::test]
async fn the_public_view_contains_no_arn_and_the_owner_view_does() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    let (status, view) = cloud.api(Method::GET, &session.path(), None, None).await.unwrap();
    assert_eq!((status, &view["sourceLanguage"]), (200, &json!("en")));
    let text = view.to_string();
    for hidden in ["arn:", "kinesisvideo", "kvs", "ana"] {
        assert!(!text.contains(hidden), "{hidden}: {view}");
    }
    let (_, own) = session.change(json!({ "qualityTier": "premium" })).await.unwrap();
    for arn in ["kvsChannelArn", "kvsStreamArn"] {
        assert!(own[arn].as_str().is_some_and(|arn| arn.starts_with("arn:")), "{own}");
    }
}
