//! The messages on a signaling WebSocket, as JSON.
//!
//! Facts: *Kinesis Video Streams WebRTC Developer Guide*, "SendSdpOffer", "SendSdpAnswer",
//! "SendIceCandidate" and "Asynchronous message reception". A payload is JSON in Base64:
//! `{"type": "offer", "sdp": …}`, or an `RTCIceCandidateInit`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::aws_error::AwsError;

use super::service_side::{FromClient, ToClient};
use super::{client_id_is_valid, errors};

/// The longest `messagePayload` (quota: 10k).
const MAX_PAYLOAD: usize = 10 * 1024;

/// The type of a message between two clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Offer,
    Answer,
    Candidate,
}

impl Kind {
    /// Returns the name in messages.
    pub(super) fn wire_name(self) -> &'static str {
        match self {
            Self::Offer => "SDP_OFFER",
            Self::Answer => "SDP_ANSWER",
            Self::Candidate => "ICE_CANDIDATE",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Offer, Self::Answer, Self::Candidate]
            .into_iter()
            .find(|kind| kind.wire_name() == name)
    }
}

/// A message that a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// The client id of the recipient; an empty one counts as absent.
    pub(super) recipient: Option<String>,
    /// Base64, as received.
    pub(super) payload: String,
    pub(super) correlation_id: Option<String>,
}

/// A message that was refused, and the id for its STATUS_RESPONSE, if it has a valid one.
#[derive(Debug, PartialEq)]
pub(super) struct Refused {
    pub(super) correlation_id: Option<String>,
    pub(super) error: AwsError,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// It is not JSON, or a member is missing, malformed or too long.
    pub(super) fn read(text: &str) -> Result<Self, Refused> {
        let members: Value = serde_json::from_str(text).unwrap_or_default();
        let id = |name: &str| members[name].as_str().filter(|id| !id.is_empty());
        let correlation_id =
            id("correlationId").filter(|id| client_id_is_valid(id)).map(str::to_owned);
        let refused = |error| Refused { correlation_id: correlation_id.clone(), error };
        let wrong = |member: &str| refused(errors::invalid(format!("{member} is not valid")));
        if ["correlationId", "recipientClientId"]
            .into_iter()
            .filter_map(id)
            .any(|id| !client_id_is_valid(id))
        {
            return Err(wrong("correlationId or recipientClientId"));
        }
        let kind = members["action"].as_str().and_then(Kind::of).ok_or_else(|| wrong("action"))?;
        let payload = members["messagePayload"].as_str().unwrap_or_default();
        if payload.len() > MAX_PAYLOAD {
            let reason = format!("messagePayload is longer than {MAX_PAYLOAD}");
            return Err(refused(errors::invalid(reason)));
        }
        if payload.is_empty() || BASE64.decode(payload).is_err() {
            return Err(wrong("messagePayload"));
        }
        let recipient = id("recipientClientId").map(str::to_owned);
        let payload = payload.to_owned();
        Ok(Self { kind, recipient, payload, correlation_id: correlation_id.clone() })
    }

    /// Returns the message for a storage session. `None`: the end of the client's candidates.
    ///
    /// # Errors
    /// It is an offer, or its payload has no SDP text or no candidate.
    pub(super) fn for_service(&self) -> Result<Option<FromClient>, AwsError> {
        let payload = BASE64.decode(&self.payload).unwrap_or_default();
        let payload: Value = serde_json::from_slice(&payload).unwrap_or_default();
        let text = |member: &str| {
            let text = payload[member].as_str().map(str::to_owned);
            text.ok_or_else(|| errors::invalid(format!("messagePayload has no {member}")))
        };
        match self.kind {
            Kind::Offer => Err(errors::invalid("A storage session makes the offer itself")),
            Kind::Answer => Ok(Some(FromClient::Answer {
                sdp: text("sdp")?,
                correlation_id: self.correlation_id.clone(),
            })),
            Kind::Candidate => {
                Ok(Some(text("candidate")?).filter(|it| !it.is_empty()).map(FromClient::Candidate))
            }
        }
    }

    /// Returns the event that delivers the message. Those of a master have no sender.
    pub(super) fn event(&self, sender: Option<&str>) -> String {
        event(self.kind, sender, &self.payload)
    }
}

fn event(kind: Kind, sender: Option<&str>, payload: &str) -> String {
    let mut event = json!({ "messageType": kind.wire_name(), "messagePayload": payload });
    if let Some(sender) = sender {
        event["senderClientId"] = json!(sender);
    }
    event.to_string()
}

/// Returns the event of a message of the service.
pub(super) fn service_event(message: &ToClient) -> String {
    let encoded = |payload: Value| BASE64.encode(payload.to_string());
    match message {
        ToClient::Offer(sdp) => {
            event(Kind::Offer, None, &encoded(json!({ "type": "offer", "sdp": sdp })))
        }
        ToClient::Candidate(line) => {
            event(Kind::Candidate, None, &encoded(json!({ "candidate": line, "sdpMLineIndex": 0 })))
        }
        ToClient::Status { correlation_id, error_type, status_code, description } => {
            status(correlation_id, error_type, *status_code, description)
        }
    }
}

/// Returns the STATUS_RESPONSE to a refused message.
pub(super) fn refusal(correlation_id: &str, error: &AwsError) -> String {
    status(correlation_id, &error.code, error.status.as_u16(), &error.message)
}

fn status(correlation_id: &str, error_type: &str, status_code: u16, description: &str) -> String {
    let response = json!({
        "correlationId": correlation_id,
        "success": false,
        "errorType": error_type,
        "statusCode": status_code.to_string(),
        "description": description,
    });
    json!({ "messageType": "STATUS_RESPONSE", "statusResponse": response }).to_string()
}

/// Returns an event that has a type only: GO_AWAY or RECONNECT_ICE_SERVER.
pub(super) fn bare_event(message_type: &str) -> String {
    json!({ "messageType": message_type }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(members: &Value) -> Result<Message, Refused> {
        Message::read(&members.to_string())
    }

    fn payload(json: &Value) -> String {
        BASE64.encode(json.to_string())
    }

    #[test]
    fn a_refusal_names_the_member_and_keeps_the_correlation_id() {
        let good =
            json!({ "action": "SDP_ANSWER", "messagePayload": "e30=", "correlationId": "a-1" });
        assert_eq!(message(&good).unwrap().correlation_id.as_deref(), Some("a-1"));
        for (member, value) in [
            ("action", json!("SDP_QUESTION")),
            ("action", json!(null)),
            ("messagePayload", json!(null)),
            ("messagePayload", json!("no base64!")),
            ("messagePayload", json!("A".repeat(MAX_PAYLOAD + 4))),
            ("recipientClientId", json!("not valid")),
        ] {
            let mut wrong = good.clone();
            wrong[member] = value;
            let refused = message(&wrong).unwrap_err();
            assert_eq!(refused.error.code, "InvalidArgumentException");
            assert!(refused.error.message.contains(member), "{refused:?}");
            assert_eq!(refused.correlation_id.as_deref(), Some("a-1"));
        }
        let mut longest = good.clone();
        longest["messagePayload"] = json!("A".repeat(MAX_PAYLOAD));
        message(&longest).unwrap();
        let mut unnamed = good;
        unnamed["correlationId"] = json!("not valid");
        assert_eq!(message(&unnamed).unwrap_err().correlation_id, None);
        assert_eq!(Message::read("no JSON").unwrap_err().correlation_id, None);
    }

    #[test]
    fn a_storage_session_gets_answers_and_candidates() {
        let read = |action: &str, json: Value| {
            let json = json!({ "action": action, "messagePayload": payload(&json),
                               "recipientClientId": "", "correlationId": "a-1" });
            let message = message(&json).unwrap();
            assert_eq!(message.recipient, None);
            message.for_service()
        };
        let answer = FromClient::Answer { sdp: "v=0".into(), correlation_id: Some("a-1".into()) };
        let sent = json!({ "type": "answer", "sdp": "v=0" });
        assert_eq!(read("SDP_ANSWER", sent.clone()), Ok(Some(answer)));
        let candidate = FromClient::Candidate("candidate:1".into());
        let sent_candidate = json!({ "candidate": "candidate:1", "sdpMid": "0" });
        assert_eq!(read("ICE_CANDIDATE", sent_candidate), Ok(Some(candidate)));
        assert_eq!(read("ICE_CANDIDATE", json!({ "candidate": "" })), Ok(None));
        read("SDP_OFFER", sent).unwrap_err();
        read("SDP_ANSWER", json!({ "type": "answer" })).unwrap_err();
        read("ICE_CANDIDATE", json!([])).unwrap_err();
    }

    #[test]
    fn the_services_events_name_no_sender() {
        let event = |message: &ToClient| -> Value {
            serde_json::from_str(&service_event(message)).unwrap()
        };
        let decoded = |event: &Value| -> Value {
            let payload = BASE64.decode(event["messagePayload"].as_str().unwrap()).unwrap();
            serde_json::from_slice(&payload).unwrap()
        };
        let offer = event(&ToClient::Offer("v=0".into()));
        assert_eq!(
            (&offer["messageType"], &offer["senderClientId"]),
            (&json!("SDP_OFFER"), &json!(null))
        );
        assert_eq!(decoded(&offer), json!({ "type": "offer", "sdp": "v=0" }));
        let candidate = event(&ToClient::Candidate("candidate:1".into()));
        assert_eq!(decoded(&candidate), json!({ "candidate": "candidate:1", "sdpMLineIndex": 0 }));
        let status = event(&ToClient::Status {
            correlation_id: "a-1".into(),
            error_type: "InvalidArgumentException",
            status_code: 400,
            description: "no video".into(),
        });
        let response = json!({ "correlationId": "a-1", "success": false, "statusCode": "400",
            "errorType": "InvalidArgumentException", "description": "no video" });
        assert_eq!(status, json!({ "messageType": "STATUS_RESPONSE", "statusResponse": response }));
    }
}
