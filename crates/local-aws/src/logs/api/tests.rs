use std::path::PathBuf;

use super::*;
use sam_template::{LoadOptions, Template};

/// A cloud with one function, `f-dev`, and its log.
struct Fixture {
    logs: Logs,
    folder: PathBuf,
}

impl Fixture {
    fn new(log: &str) -> Self {
        let text = "Resources: { F: { Type: AWS::Serverless::Function, Properties: { FunctionName: \
                    f-dev, CodeUri: crates/f } } }";
        let template = Template::load(text, &LoadOptions::default()).unwrap();
        let folder = std::env::temp_dir().join(format!("logs-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("f.log"), log).unwrap();
        let logs = Logs::new(&template, &folder, 7);
        Self { logs, folder }
    }

    fn run(&self, operation: &str, mut request: Value) -> Result<Value, String> {
        if operation != "DescribeLogGroups" && request["logGroupIdentifier"].is_null() {
            request["logGroupName"] = "/aws/lambda/f-dev".into();
        }
        self.logs.run(operation, &request).map_err(|error| error.code.into_owned())
    }

    /// Returns the messages of all pages, and how many pages there were.
    fn all(&self, mut request: Value) -> (Vec<String>, usize) {
        let (mut found, mut pages) = (Vec::new(), 0);
        loop {
            let page = self.run("FilterLogEvents", request.clone()).unwrap();
            found.extend(messages(&page));
            pages += 1;
            request["nextToken"] = page["nextToken"].clone();
            if request["nextToken"].is_null() {
                return (found, pages);
            }
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn messages(answer: &Value) -> Vec<String> {
    let events = answer["events"].as_array().unwrap();
    events.iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

/// A line at this second of 1970, for a session.
fn line(second: u32, session: &str) -> String {
    format!(r#"{{"timestamp":"1970-01-01T00:00:{second:02}Z","sessionId":"{session}"}}"#)
}

fn ten_lines() -> String {
    (0..10).map(|second| line(second, ["a-b-1", "c-d-2"][second as usize % 2]) + "\n").collect()
}

#[test]
fn groups_and_streams_are_described() {
    let fixture = Fixture::new(&ten_lines());
    let groups = fixture.run("DescribeLogGroups", json!({"logGroupNamePrefix": "/aws/"})).unwrap();
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f-dev";
    assert_eq!(groups["logGroups"][0]["arn"], format!("{arn}:*"));
    assert_eq!(groups["logGroups"].as_array().unwrap().len(), 1);
    let streams = fixture.run("DescribeLogStreams", json!({})).unwrap();
    let stream = &streams["logStreams"][0];
    assert!(stream["logStreamName"].as_str().unwrap().starts_with("1970/01/01/[$LATEST]"));
    assert_eq!(stream["firstEventTimestamp"], 0);
    let other = fixture.run("DescribeLogGroups", json!({"logGroupNamePrefix": "/x"})).unwrap();
    assert_eq!(other["logGroups"], json!([]));
    let by_arn = fixture.run("FilterLogEvents", json!({"logGroupIdentifier": arn})).unwrap();
    assert_eq!(messages(&by_arn).len(), 10);
}

#[test]
fn events_are_filtered_by_time_and_pattern_on_every_page() {
    let fixture = Fixture::new(&ten_lines());
    let of_session = json!({
        "filterPattern": "{ $.sessionId = \"a-b-1\" }", "startTime": 2000, "endTime": 8000, "limit": 1,
    });
    let (found, pages) = fixture.all(of_session);
    let expected: Vec<String> = [2, 4, 6, 8].map(|second| line(second, "a-b-1")).into();
    assert_eq!((found, pages), (expected, 5));
    assert_eq!(fixture.all(json!({})).0.len(), 10);
    assert_eq!(fixture.all(json!({"logStreamNamePrefix": "1971"})).0.len(), 0);
}

#[test]
fn a_stream_is_read_in_both_directions_to_its_ends() {
    let fixture = Fixture::new(&ten_lines());
    let streams = fixture.run("DescribeLogStreams", json!({})).unwrap();
    let name = &streams["logStreams"][0]["logStreamName"];
    let get = |token: &Value, head: bool| {
        let request =
            json!({"logStreamName": name, "limit": 4, "nextToken": token, "startFromHead": head});
        fixture.run("GetLogEvents", request).unwrap()
    };
    for (head, member) in [(true, "nextForwardToken"), (false, "nextBackwardToken")] {
        let (mut counts, mut token) = (Vec::new(), Value::Null);
        loop {
            let page = get(&token, head);
            counts.push(messages(&page).len());
            if page[member] == token {
                break;
            }
            token = page[member].clone();
        }
        assert_eq!(counts, [4, 4, 2, 0], "{member}");
    }
    let last = get(&Value::Null, false);
    assert_eq!(messages(&last).last(), Some(&line(9, "c-d-2")));
    assert!(messages(&get(&last["nextForwardToken"], true)).is_empty());
}

#[test]
fn wrong_requests_have_the_errors_of_aws() {
    let fixture = Fixture::new("");
    let invalid = "InvalidParameterException";
    for (operation, request, code) in [
        ("FilterLogEvents", json!({"logGroupIdentifier": "/none"}), "ResourceNotFoundException"),
        ("FilterLogEvents", json!({"filterPattern": "[a]"}), invalid),
        ("FilterLogEvents", json!({"limit": 0}), invalid),
        ("FilterLogEvents", json!({"limit": 10_001}), invalid),
        ("FilterLogEvents", json!({"nextToken": "x"}), invalid),
        ("FilterLogEvents", json!({"startTime": -1}), invalid),
        ("GetLogEvents", json!({}), invalid),
        ("GetLogEvents", json!({"logStreamName": "none"}), "ResourceNotFoundException"),
        ("DescribeLogGroups", json!({"limit": 51}), invalid),
        ("StartQuery", json!({}), "NotImplemented"),
    ] {
        assert_eq!(fixture.run(operation, request.clone()).unwrap_err(), code, "{request}");
    }
    let nothing = fixture.run("FilterLogEvents", json!({})).unwrap();
    assert_eq!(nothing["events"], json!([]));
}
