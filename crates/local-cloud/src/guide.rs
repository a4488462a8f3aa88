//! The commands that `local-cloud up --guide` prints.

/// Returns commands that reach the cloud at `url`, ready to paste into a second terminal. `program`
/// is the path of this program.
pub(crate) fn guide(url: &str, recording: &str, program: &str) -> String {
    let port = url.rsplit(':').next().unwrap_or_default();
    format!(
        r#"
In a second terminal, at the top of the repository:

  export LOCAL_CLOUD_URL={url} AWS_ENDPOINT_URL={url}
  export AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test

A session, as its speaker sees it:
  TOKEN=$({program} token --sub ana)
  curl -s {url}/health
  ID=$(curl -s -X POST {url}/sessions -H "Authorization: Bearer $TOKEN" \
       -H 'Content-Type: application/json' -d '{{"sourceLanguage": "en"}}' \
       | python3 -c 'import json, sys; print(json.load(sys.stdin)["sessionId"])')
  {program} speak $ID {recording}
  curl -s {url}/sessions/$ID
  curl -s -X DELETE {url}/sessions/$ID -H "Authorization: Bearer $TOKEN" -w '%{{http_code}}\n'
  curl -s -o $ID.wav {url}/_local/audio/$ID.wav      # what the processor accepted, after the drain

As an operator, with any AWS CLI or SDK:
  aws dynamodb scan --table-name Streams-dev
  aws kinesisvideo list-streams
  aws events list-rules --name-prefix session-lifecycle
  aws events test-event-pattern --event-pattern file://events/rule-pattern.json --event file://events/test-event.json
  aws sqs receive-message --queue-url $(aws sqs get-queue-url --queue-name session-events-dlq-dev --query QueueUrl --output text)
                                                     # AWS CLI v1 ignores AWS_ENDPOINT_URL for SQS: --endpoint-url
  curl -s {url}/_local/state

The functions themselves (cargo-lambda is in .venv/bin):
  cargo lambda invoke -A 127.0.0.1 -P {port} session-http-handler --data-file events/session-http-handler.create.json
  cargo lambda invoke -A 127.0.0.1 -P {port} kvs-stream-consumer --data-file events/kvs-stream-consumer.health-check.json

A listener; put an item of it into Connections-dev (connectionId, sessionId, targetLanguage), end the session, and look:
  curl -s -X PUT {url}/_local/connections/listener-1
  curl -s {url}/_local/connections/listener-1        # the messages it was sent

Faults on demand; this one lets the next PutEvents fail for its entry:
  curl -s {url}/_local/faults -H 'Content-Type: application/json' \
       -d '{{"service": "events", "operation": "PutEvents", "kind": "entry", "code": "ThrottlingException"}}'

Ctrl-C ends the cloud and everything it started.
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_names_the_cloud_that_is_up() {
        let text = guide("http://127.0.0.1:4711", "talk.mka", "target/debug/local-cloud");
        assert!(text.contains("-P 4711 kvs-stream-consumer"));
        assert!(text.contains("target/debug/local-cloud speak $ID talk.mka"));
        assert!(!text.contains("{{") && !text.contains("7878"));
    }
}
