//! The rules for a client's SDP answer (WebRTC developer guide, "Troubleshooting ingestion"): a
//! master sends H.264 video and Opus audio; a viewer receives both, and may send audio.

use crate::signaling::Client;

/// Why an answer is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    /// A section is missing or rejected.
    #[error("The answer has no {0} section that is sent")]
    Missing(&'static str),
    /// A section has another direction.
    #[error("The {media} section must be {wanted}, and is {found}")]
    Direction {
        /// `audio` or `video`.
        media: &'static str,
        /// The direction that it must have.
        wanted: &'static str,
        /// The direction in the answer.
        found: String,
    },
    /// A section does not name the codec.
    #[error("The {media} section must offer {codec}")]
    Codec {
        /// `audio` or `video`.
        media: &'static str,
        /// `opus` or `H264`.
        codec: &'static str,
    },
    /// The answer is not SDP, or does not fit the offer.
    #[error("The answer is not valid: {0}")]
    Invalid(String),
}

/// A media section of an answer.
#[derive(Debug, Default)]
struct Section<'a> {
    media: &'a str,
    port: &'a str,
    direction: Option<&'a str>,
    /// Names of its codecs.
    codecs: Vec<&'a str>,
}

/// Checks a client's answer.
///
/// # Errors
/// The first rule that it breaks. Audio may also be `sendrecv`, as AWS documents it.
pub(super) fn check(sdp: &str, client: &Client) -> Result<(), AnswerError> {
    let sections = sections(sdp);
    let wanted = match client {
        Client::Master => "sendonly",
        Client::Viewer(_) => "recvonly",
    };
    require(&sections, "video", "H264", &[wanted])?;
    require(&sections, "audio", "opus", &[wanted, "sendrecv"])
}

fn require(
    sections: &[Section],
    media: &'static str,
    codec: &'static str,
    directions: &[&'static str],
) -> Result<(), AnswerError> {
    let section = sections
        .iter()
        .find(|section| section.media == media && section.port != "0")
        .ok_or(AnswerError::Missing(media))?;
    let found = section.direction.unwrap_or("sendrecv");
    if !directions.contains(&found) {
        let wanted = directions.first().copied().unwrap_or_default();
        return Err(AnswerError::Direction { media, wanted, found: found.to_owned() });
    }
    match section.codecs.iter().any(|name| name.eq_ignore_ascii_case(codec)) {
        true => Ok(()),
        false => Err(AnswerError::Codec { media, codec }),
    }
}

/// Reads the media sections of an SDP text.
fn sections(sdp: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section> = Vec::new();
    for line in sdp.lines().map(str::trim_end) {
        if let Some(media) = line.strip_prefix("m=") {
            let mut words = media.split(' ');
            let (media, port) = (words.next().unwrap_or(""), words.next().unwrap_or("0"));
            sections.push(Section { media, port, ..Section::default() });
        }
        let Some(section) = sections.last_mut() else { continue };
        match line.strip_prefix("a=") {
            Some(word @ ("sendonly" | "recvonly" | "sendrecv" | "inactive")) => {
                section.direction = Some(word);
            }
            Some(attribute) => section.codecs.extend(codec(attribute)),
            None => {}
        }
    }
    sections
}

/// Returns the codec of an `rtpmap` attribute: `rtpmap:111 opus/48000/2`.
fn codec(attribute: &str) -> Option<&str> {
    let (_, encoding) = attribute.strip_prefix("rtpmap:")?.split_once(' ')?;
    encoding.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 108 109\r\na=mid:1\r\na=sendonly\r\n\
        a=rtpmap:108 H264/90000\r\na=rtpmap:109 rtx/90000\r\n";

    #[test]
    fn h264_and_opus_that_are_sent_are_accepted() {
        let check = |sdp: &str| check(sdp, &Client::Master);
        assert_eq!(check(ANSWER), Ok(()));
        assert_eq!(check(&ANSWER.replacen("sendonly", "sendrecv", 1)), Ok(()));
    }

    #[test]
    fn a_viewer_receives_and_may_send_audio() {
        let check = |sdp: &str| check(sdp, &Client::Viewer("ana".to_owned()));
        let answer = ANSWER.replace("sendonly", "recvonly");
        assert_eq!(check(&answer), Ok(()));
        assert_eq!(check(&answer.replacen("recvonly", "sendrecv", 1)), Ok(()));
        let refusal = check(ANSWER).unwrap_err().to_string();
        assert_eq!(refusal, "The video section must be recvonly, and is sendonly");
        let sends_video = answer.replace("a=mid:1\r\na=recvonly", "a=mid:1\r\na=sendrecv");
        let refusal = check(&sends_video).unwrap_err().to_string();
        assert_eq!(refusal, "The video section must be recvonly, and is sendrecv");
    }

    #[test]
    fn any_other_answer_is_refused_with_its_reason() {
        let check = |sdp: &str| check(sdp, &Client::Master);
        let refused =
            |from: &str, to: &str| check(&ANSWER.replace(from, to)).unwrap_err().to_string();
        assert_eq!(
            refused("m=video 9", "m=video 0"),
            "The answer has no video section that is sent"
        );
        let inactive = ANSWER.replace("a=mid:1\r\na=sendonly", "a=mid:1\r\na=inactive");
        let refusal = check(&inactive).unwrap_err().to_string();
        assert_eq!(refusal, "The video section must be sendonly, and is inactive");
        assert_eq!(refused("m=audio", "m=text"), "The answer has no audio section that is sent");
        let recvonly = "The audio section must be sendonly, and is recvonly";
        assert_eq!(refused("a=mid:0\r\na=sendonly", "a=mid:0\r\na=recvonly"), recvonly);
        assert_eq!(refused("H264", "VP8"), "The video section must offer H264");
        assert_eq!(refused("opus", "PCMU"), "The audio section must offer opus");
        assert_eq!(check("nonsense"), Err(AnswerError::Missing("video")));
    }
}
