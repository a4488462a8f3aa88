//! Kinesis Video Streams: actions are named like the operations.
//!
//! Creation with tags also requires the tagging action. A name alone is checked as `NAME/*`,
//! because an ARN ends with the creation time. The reference checks UpdateMediaStorageConfiguration
//! on the channel; here it also requires the stream in the request, because it was not possible to
//! test which of the two AWS checks.

use http::request::Parts;
use serde_json::Value;

use super::super::action::RequiredAction;
use crate::kvs::Kvs;
use crate::signaling::Signaling;
use crate::wire::query_value;
use sam_template::Account;

pub(super) fn required_actions(
    account: &Account,
    head: &Parts,
    body: &Value,
) -> Vec<RequiredAction> {
    let path = head.uri.path();
    let Some(operation) = Kvs::operation(path).or_else(|| Signaling::operation(path)) else {
        return Vec::new();
    };
    let resource = match operation {
        "ListStreams" | "ListSignalingChannels" => "*".to_owned(),
        "PutMedia" => in_headers(account, head),
        "ConnectAsMaster" | "ConnectAsViewer" => in_query(head),
        _ => in_body(account, body),
    };
    let mut needs = vec![RequiredAction::new("kinesisvideo", operation, resource.clone())];
    if let Some(tagging) = tagging(operation).filter(|_| is_something(&body["Tags"])) {
        needs.push(RequiredAction::new("kinesisvideo", tagging, resource));
    }
    if let Some(stream) = body["MediaStorageConfiguration"]["StreamARN"].as_str() {
        needs.push(RequiredAction::new("kinesisvideo", operation, stream));
    }
    needs
}

fn tagging(operation: &str) -> Option<&'static str> {
    match operation {
        "CreateStream" => Some("TagStream"),
        "CreateSignalingChannel" => Some("TagResource"),
        _ => None,
    }
}

/// A stream's tags are a map, a channel's a list.
fn is_something(tags: &Value) -> bool {
    match tags {
        Value::Object(tags) => !tags.is_empty(),
        Value::Array(tags) => !tags.is_empty(),
        _ => false,
    }
}

fn in_body(account: &Account, body: &Value) -> String {
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let arn = ["StreamARN", "ChannelARN", "channelArn", "ResourceARN"].into_iter().find_map(text);
    let named = |kind: &str, name: String| account.arn("kinesisvideo", &format!("{kind}/{name}/*"));
    arn.or_else(|| text("StreamName").map(|name| named("stream", name)))
        .or_else(|| text("ChannelName").map(|name| named("channel", name)))
        .unwrap_or_else(|| "*".to_owned())
}

fn in_query(head: &Parts) -> String {
    query_value(head.uri.query(), "X-Amz-ChannelARN").unwrap_or_else(|| "*".to_owned())
}

fn in_headers(account: &Account, head: &Parts) -> String {
    let text = |name: &str| head.headers.get(name)?.to_str().ok().map(str::to_owned);
    let named = |name| account.arn("kinesisvideo", &format!("stream/{name}/*"));
    let arn = text("x-amzn-stream-arn").or_else(|| text("x-amzn-stream-name").map(named));
    arn.unwrap_or_else(|| "*".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::{request, shown};

    const STREAM: &str = "arn:aws:kinesisvideo::stream/session-a/1";
    const CHANNEL: &str = "arn:aws:kinesisvideo::channel/session-a/1";

    fn required_actions(path: &str, body: &Value) -> Vec<String> {
        shown("kinesisvideo", request("POST", path, ""), body)
    }

    #[test]
    fn a_call_needs_what_it_names_by_arn_or_by_name() {
        for (path, body, wanted) in [
            ("/getMedia", json!({"StreamARN": STREAM}), format!("GetMedia {STREAM}")),
            ("/getDataEndpoint", json!({"StreamARN": STREAM}), format!("GetDataEndpoint {STREAM}")),
            ("/deleteStream", json!({"StreamARN": STREAM}), format!("DeleteStream {STREAM}")),
            (
                "/describeStream",
                json!({"StreamName": "session-a"}),
                "DescribeStream arn:aws:kinesisvideo::stream/session-a/*".to_owned(),
            ),
            (
                "/describeSignalingChannel",
                json!({"ChannelName": "session-a"}),
                "DescribeSignalingChannel arn:aws:kinesisvideo::channel/session-a/*".to_owned(),
            ),
            (
                "/ListTagsForResource",
                json!({"ResourceARN": CHANNEL}),
                format!("ListTagsForResource {CHANNEL}"),
            ),
            ("/listStreams", json!({"MaxResults": 5}), "ListStreams *".to_owned()),
        ] {
            assert_eq!(required_actions(path, &body), [format!("kinesisvideo:{wanted}")]);
        }
        assert!(
            required_actions("/getNothing", &json!({})).is_empty(),
            "the service refuses it by itself"
        );
    }

    #[test]
    fn to_create_with_tags_needs_the_tagging_action() {
        let named = |kind: &str| format!("arn:aws:kinesisvideo::{kind}/session-a/*");
        let tagged = json!({"StreamName": "session-a", "Tags": {"env": "dev"}});
        let wanted = ["CreateStream", "TagStream"];
        let wanted = wanted.map(|action| format!("kinesisvideo:{action} {}", named("stream")));
        assert_eq!(required_actions("/createStream", &tagged), wanted);
        assert_eq!(
            required_actions("/createStream", &json!({"StreamName": "session-a"})),
            wanted[..1]
        );
        let tagged = json!({"ChannelName": "session-a", "Tags": [{"Key": "env", "Value": "dev"}]});
        let wanted = ["CreateSignalingChannel", "TagResource"];
        let wanted = wanted.map(|action| format!("kinesisvideo:{action} {}", named("channel")));
        assert_eq!(required_actions("/createSignalingChannel", &tagged), wanted);
    }

    #[test]
    fn a_mapping_needs_its_channel_and_the_stream_it_names() {
        let path = "/updateMediaStorageConfiguration";
        let on = json!({"Status": "ENABLED", "StreamARN": STREAM});
        let on = json!({"ChannelARN": CHANNEL, "MediaStorageConfiguration": on});
        let wanted = [CHANNEL, STREAM];
        let wanted = wanted.map(|it| format!("kinesisvideo:UpdateMediaStorageConfiguration {it}"));
        assert_eq!(required_actions(path, &on), wanted);
        let off =
            json!({"ChannelARN": CHANNEL, "MediaStorageConfiguration": {"Status": "DISABLED"}});
        assert_eq!(required_actions(path, &off), wanted[..1]);
    }

    #[test]
    fn a_storage_session_names_its_channel_with_a_small_letter() {
        for operation in ["JoinStorageSession", "JoinStorageSessionAsViewer"] {
            let path = operation.replacen('J', "/j", 1);
            let needs = required_actions(&path, &json!({"channelArn": CHANNEL}));
            assert_eq!(needs, [format!("kinesisvideo:{operation} {CHANNEL}")]);
        }
    }

    #[test]
    fn signaling_names_its_channel_in_the_query_or_in_the_body() {
        for (role, action) in [("master", "ConnectAsMaster"), ("viewer", "ConnectAsViewer")] {
            let query = CHANNEL.replace(':', "%3A").replace('/', "%2F");
            let path = format!("/_signaling/{role}?X-Amz-ChannelARN={query}");
            let needs = shown("kinesisvideo", request("GET", &path, ""), &Value::Null);
            assert_eq!(needs, [format!("kinesisvideo:{action} {CHANNEL}")]);
        }
        let needs = required_actions("/v1/get-ice-server-config", &json!({"ChannelARN": CHANNEL}));
        assert_eq!(needs, [format!("kinesisvideo:GetIceServerConfig {CHANNEL}")]);
    }

    #[test]
    fn media_names_its_stream_in_its_headers() {
        let mut put = request("POST", "/putMedia", "");
        put.headers_mut().insert("x-amzn-stream-name", "session-a".parse().unwrap());
        let wanted = "kinesisvideo:PutMedia arn:aws:kinesisvideo::stream/session-a/*";
        assert_eq!(shown("kinesisvideo", put, &Value::Null), [wanted]);
    }
}
