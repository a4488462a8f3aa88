//! The text that `local-cloud up --guide` prints: what to open and what to type.

/// Returns the guide of the cloud at `url`, with commands to paste into a second terminal.
/// `program` is the path of this program; `can_speak`: whether the speaker's page is built.
pub(crate) fn guide(url: &str, recording: &str, program: &str, can_speak: bool) -> String {
    let open = match can_speak {
        true => "press Speak, and see your words",
        false => "and see the sessions",
    };
    format!(
        r#"
Open {url}/ in a browser, {open}. Or type in a second terminal, in this folder:
  export LOCAL_CLOUD_URL={url} AWS_ENDPOINT_URL={url}
  export AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  TOKEN=$({program} token --sub ana)
  ID=$(curl -s {url}/sessions -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
       -d '{{"sourceLanguage": "en"}}' | python3 -c 'import json, sys; print(json.load(sys.stdin)["sessionId"])')
  {program} speak $ID {recording}
  {program} sessions $ID
  {program} logs $ID --follow
  {program} events --follow
  curl -s -X DELETE {url}/sessions/$ID -H "Authorization: Bearer $TOKEN"
  aws --endpoint-url {url} sqs list-queues    # AWS CLI v2 and SDKs also read AWS_ENDPOINT_URL
All commands and endpoints: docs/local-cloud.md. Ctrl-C ends the cloud and everything it started."#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_names_the_cloud_that_is_up() {
        let text = guide("http://127.0.0.1:4711", "talk.mka", "target/debug/local-cloud", false);
        assert!(
            !text.contains("Speak") && text.contains("target/debug/local-cloud speak $ID talk.mka")
        );
        assert!(text.contains("aws --endpoint-url http://127.0.0.1:4711 "));
        assert!(text.contains("Open http://127.0.0.1:4711/ "));
        assert!(!text.contains("{{") && !text.contains("7878"));
    }

    #[test]
    fn it_fits_beside_the_line_that_says_ready() {
        let text = guide("http://127.0.0.1:7878", "talk.mka", "target/debug/local-cloud", true);
        assert!(text.lines().count() < 15, "{}", text.lines().count());
    }
}
