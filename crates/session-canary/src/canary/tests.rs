use std::collections::VecDeque;
use std::sync::Mutex;

use producer::SpeakError;
use serde_json::json;
use session::ErrorKind;

use super::*;

const SAMPLES: u64 = 64_000;

/// A system in virtual time that follows a script.
#[derive(Default)]
struct Fake {
    /// Responses to POST in order; then a session is created.
    creations: Mutex<VecDeque<Result<Response, PortError>>>,
    /// The persisted fragments, of two.
    persisted: usize,
    /// What the processor accepts at most while the session is open, and in the end.
    accepts: [u64; 2],
    /// Whether an ended session closes.
    closes: bool,
    gap: bool,
    /// The requests, by route, with their key.
    requests: Mutex<Vec<String>>,
}

fn whole() -> Fake {
    Fake { persisted: 2, accepts: [32_000, SAMPLES], closes: true, ..Fake::default() }
}

/// Returns a system whose first responses to POST are these.
fn creating<const N: usize>(responses: [Result<Response, PortError>; N]) -> Fake {
    Fake { creations: Mutex::new(responses.into()), ..whole() }
}

fn response(status_code: u16, body: Value) -> Response {
    Response { status_code, body: Some(body.to_string()) }
}

fn unavailable(kind: ErrorKind) -> PortError {
    PortError::new("Invoke", kind, "no")
}

impl Fake {
    fn ended(&self) -> bool {
        self.requests.lock().unwrap().iter().any(|request| request.starts_with("DELETE"))
    }
}

impl Deployment for Fake {
    fn sentence(&self) -> (u64, usize) {
        (SAMPLES, 2)
    }

    async fn call(&self, event: &Value) -> Result<Response, PortError> {
        assert_eq!(event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"], "session-canary");
        let key = event["headers"]["idempotency-key"].as_str().unwrap_or_default();
        let route = event["routeKey"].as_str().unwrap();
        self.requests.lock().unwrap().push(format!("{route} {key}"));
        sleep(Duration::from_millis(300)).await;
        if route.starts_with("DELETE") {
            assert_eq!(event["pathParameters"]["sessionId"], "a-b-1");
            return Ok(Response { status_code: 204, body: None });
        }
        let session = json!({"sessionId": "a-b-1", "kvsStreamName": "session-a-b-1"});
        let next = self.creations.lock().unwrap().pop_front();
        next.unwrap_or_else(|| Ok(response(201, session)))
    }

    async fn speak(&self, stream: &str) -> Result<usize, SpeakError> {
        assert_eq!(stream, "session-a-b-1");
        sleep(Duration::from_secs(4)).await;
        Ok(self.persisted)
    }

    async fn progress(&self, _: &SessionId) -> Result<Progress, PortError> {
        sleep(Duration::from_millis(10)).await;
        let ended = self.ended();
        let missing = self.gap.then(|| ("gap".to_owned(), 5)).into_iter().collect();
        let accepted = self.accepts[usize::from(ended)];
        Ok(Progress { accepted, ended: ended && self.closes, missing })
    }
}

async fn run(fake: Fake) -> (Report, Vec<String>) {
    let canary = Canary::new(fake, TimeScale::default());
    let report = canary.run("key").await;
    (report, canary.deployment.requests.into_inner().unwrap())
}

/// Returns the failure and the requests of a run.
async fn failure(fake: Fake) -> (String, Vec<String>) {
    let (report, requests) = run(fake).await;
    (report.failure.unwrap().to_string(), requests)
}

const POST: &str = "POST /sessions key";
const DELETE: &str = "DELETE /sessions/{sessionId} ";

#[tokio::test(start_paused = true)]
async fn a_session_that_is_delivered_whole_succeeds_with_all_times() {
    let (report, requests) = run(whole()).await;
    assert!(report.failure.is_none(), "{report:?}");
    assert_eq!(requests, [POST, DELETE]);
    let times = [report.create, report.first_sample, report.last_sample, report.end];
    let millis = times.map(|time| time.unwrap().as_millis());
    assert_eq!(millis, [300, 10, 4_310, 310]);
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_accepts_nothing_fails_in_time_and_the_session_is_ended() {
    let (error, requests) = failure(Fake { accepts: [0, 0], ..whole() }).await;
    assert_eq!(error, "speaking took longer than 60 s");
    assert_eq!(requests, [POST, DELETE]);
}

#[tokio::test(start_paused = true)]
async fn lost_samples_gaps_and_fragments_are_failures() {
    let (error, _) = failure(Fake { accepts: [32_000, SAMPLES - 1], ..whole() }).await;
    assert!(error.starts_with("63999 of 64000 samples were accepted"), "{error}");
    let (error, _) = failure(Fake { gap: true, ..whole() }).await;
    assert!(error.contains("\"gap\": 5"), "{error}");
    let (error, requests) = failure(Fake { persisted: 1, ..whole() }).await;
    assert_eq!(error, "1 of 2 fragments were persisted");
    assert_eq!(requests, [POST, DELETE]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_close_is_a_failure_with_the_time_of_its_last_sample() {
    let (report, requests) = run(Fake { closes: false, ..whole() }).await;
    assert_eq!(report.failure.unwrap().to_string(), "closing took longer than 60 s");
    assert!(report.last_sample.is_some() && report.end.is_none());
    assert_eq!(requests, [POST, DELETE]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_creation_leaves_nothing_to_end() {
    let refused = Ok(response(500, json!({"error": "no"})));
    let (error, requests) = failure(creating([refused])).await;
    assert_eq!(error, r#"POST was answered with 500 {"error":"no"}"#);
    assert_eq!(requests, [POST]);
    let denied = Err(unavailable(ErrorKind::Denied));
    let (error, requests) = failure(creating([denied])).await;
    assert_eq!((error.as_str(), &requests[..]), ("Invoke: no", &[POST.to_owned()][..]));
}

#[tokio::test(start_paused = true)]
async fn a_creation_without_a_response_is_repeated_and_what_it_made_is_ended() {
    let lost = || Err(unavailable(ErrorKind::TimedOut));
    let (report, requests) = run(creating([lost()])).await;
    assert!(report.failure.is_none(), "{report:?}");
    assert_eq!(requests, [POST, POST, DELETE]);
    let (error, requests) = failure(creating([lost(), lost(), lost()])).await;
    assert_eq!(error, "Invoke: no");
    assert_eq!(requests, [POST, POST, POST, POST, DELETE]);
}
