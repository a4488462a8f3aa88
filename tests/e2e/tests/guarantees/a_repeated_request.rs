//! Guarantee: repeated POSTs with one Idempotency-Key create one session, at any time and in any
//! number, and a speaker never has more than `MaxActiveSessions` sessions.

use e2e::{Cloud, Options};
use reqwest::Method;
use serde_json::{Value, json};

/// Sends a POST with this `Idempotency-Key`; returns its status, `Retry-After` and body.
async fn post(cloud: &Cloud, token: &str, key: &str, body: &Value) -> (u16, Option<u64>, Value) {
    cloud.post(token, &[("idempotency-key", key)], body).await.unwrap()
}

/// Returns the longest `Retry-After` of a request whose predecessor died: 34 s, scaled and rounded
/// up.
fn longest_hold(cloud: &Cloud) -> u64 {
    34_u64.div_ceil(cloud.time_scale().into())
}

#[tokio::test]
async fn ten_concurrent_requests_create_one_session() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let token = cloud.token(json!({ "sub": "ana" })).await.unwrap();
    let body = json!({ "sourceLanguage": "en" });
    let answers = (0..10).map(|_| post(&cloud, &token, "once", &body));
    let answers = futures_util::future::join_all(answers).await;
    let made: Vec<_> = answers.iter().filter(|(status, ..)| *status == 201).collect();
    assert!(!made.is_empty(), "{answers:?}");
    for (status, wait, answer) in &answers {
        match status {
            201 => assert_eq!(answer, &made[0].2),
            409 => {
                let allowed = 1..=longest_hold(&cloud);
                assert!(
                    wait.is_some_and(|seconds| allowed.contains(&seconds)),
                    "{wait:?} {answer}"
                );
            }
            other => panic!("{other}: {answer}"),
        }
    }
    // A later request gets the same response, also after the session's end.
    let (_, _, first) = &made[0];
    let path = format!("/sessions/{}", first["sessionId"].as_str().unwrap());
    let (status, _) = cloud.api(Method::DELETE, &path, Some(&token), None).await.unwrap();
    assert_eq!(status, 204);
    assert_eq!(post(&cloud, &token, "once", &body).await, (201, None, first.clone()));

    let other = json!({ "sourceLanguage": "de" });
    let (status, wait, answer) = post(&cloud, &token, "once", &other).await;
    assert_eq!((status, wait), (422, None), "{answer}");
    let state = cloud.state().await.unwrap();
    assert_eq!(state["kinesisvideo"]["streams"].as_array().map(Vec::len), Some(1), "{state}");
}

#[tokio::test]
async fn the_next_request_completes_the_work_of_a_dead_function() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let token = cloud.token(json!({ "sub": "ana" })).await.unwrap();
    let body = json!({ "sourceLanguage": "en" });
    // Before its first AWS call, and while it creates the stream.
    let hangs = json!({ "service": "kinesisvideo", "operation": "CreateStream",
                        "kind": "delay", "delayMs": 60_000, "times": 1 });
    for (key, delay, hang) in [("early", 0, None), ("late", 1_000, Some(hangs))] {
        if let Some(hang) = hang {
            cloud.inject_fault(hang).await.unwrap();
        }
        let kill = json!({
            "service": "lambda", "operation": "Invoke", "target": "session-http-handler",
            "kind": "kill", "times": 1, "delayMs": delay,
        });
        cloud.inject_fault(kill).await.unwrap();
        let (status, ..) = post(&cloud, &token, key, &body).await;
        assert!(status >= 500, "{status}: the fault did not occur");
        cloud.all_faults_triggered().await.unwrap();
        let answer = loop {
            match post(&cloud, &token, key, &body).await {
                (409, Some(seconds), _) => {
                    assert!(
                        seconds <= longest_hold(&cloud),
                        "Retry-After of {seconds} s is not scaled"
                    );
                    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
                }
                (status, _, answer) => {
                    assert_eq!(status, 201, "{answer}");
                    break answer;
                }
            }
        };
        assert_eq!(post(&cloud, &token, key, &body).await, (201, None, answer));
    }
}

#[tokio::test]
async fn a_session_beyond_the_quota_is_refused_until_another_ends() {
    let parameters = vec!["MaxActiveSessions=2".to_owned()];
    let cloud = Cloud::start(Options { parameters, ..Options::default() }).await.unwrap();
    let token = cloud.token(json!({ "sub": "ana" })).await.unwrap();
    let body = json!({ "sourceLanguage": "en" });
    let answers = (0..6).map(|n| {
        let (cloud, token, body) = (&cloud, &token, &body);
        async move { post(cloud, token, &format!("key-{n}"), body).await }
    });
    let answers = futures_util::future::join_all(answers).await;
    let count = |wanted: u16| answers.iter().filter(|(status, ..)| *status == wanted).count();
    // Concurrent requests never exceed the quota; one that conflicts with another's write may get
    // 503.
    assert_eq!((count(201), count(429) + count(503)), (2, 4), "{answers:?}");
    let refused = post(&cloud, &token, "refused", &body).await;
    assert_eq!((refused.0, refused.1.is_some()), (429, true), "{refused:?}");

    let made = answers.iter().find(|(status, ..)| *status == 201).unwrap();
    let path = format!("/sessions/{}", made.2["sessionId"].as_str().unwrap());
    cloud.api(Method::DELETE, &path, Some(&token), None).await.unwrap();
    assert_eq!(post(&cloud, &token, "refused", &body).await.0, 201);
    assert_eq!(post(&cloud, &token, "again", &body).await.0, 429);
}
