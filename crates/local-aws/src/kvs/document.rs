//! Writes a fragment as GetMedia does: one EBML document per fragment, in the order of the recorded
//! output (`output_get_media.mkv` of the Kinesis Video parser library): the producer's head, AWS's
//! first Tags, the Cluster, the producer's tags of that fragment, AWS's last Tags. The Cluster has
//! a known size, or an unknown one if the fragment was still open when its document began.

use axum::body::Bytes;

use super::fragment::{Fragment, FragmentHead};
use ebml::id;

/// Maximum size of a piece that is passed to the connection at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Returns the document of a fragment, in pieces. `age_ms` is the time from its server timestamp to
/// now.
pub(super) fn pieces(fragment: &Fragment, age_ms: i64) -> Vec<Bytes> {
    let mut start = head(&fragment.head);
    let mut tail = tail(fragment, age_ms);
    if start.len() + fragment.cluster.len() + tail.len() <= PIECE_BYTES {
        start.extend_from_slice(&fragment.cluster);
        start.append(&mut tail);
        return vec![Bytes::from(start)];
    }
    let cluster = split(fragment.cluster.clone());
    std::iter::once(Bytes::from(start)).chain(cluster).chain([Bytes::from(tail)]).collect()
}

/// Returns the start of the document of a fragment that is still open, up to the children of its
/// Cluster.
pub(super) fn open(of: &FragmentHead) -> Bytes {
    let mut start = head(of);
    start.extend_from_slice(&ebml::OPEN_CLUSTER);
    Bytes::from(start)
}

/// Returns the rest of a document that [`open`] started and of whose Cluster `sent` bytes of
/// children were sent, in pieces.
pub(super) fn rest(fragment: &Fragment, sent: usize, age_ms: i64) -> Vec<Bytes> {
    let mut cluster = fragment.cluster.clone();
    let left = cluster.split_off(cluster.len().min(ebml::OPEN_CLUSTER.len() + sent));
    split(left).chain([Bytes::from(tail(fragment, age_ms))]).collect()
}

/// Splits bytes into pieces.
pub(super) fn split(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        (!bytes.is_empty()).then(|| bytes.split_to(bytes.len().min(PIECE_BYTES)))
    })
}

/// Returns everything before the Cluster.
fn head(of: &FragmentHead) -> Vec<u8> {
    let mut head = of.preamble.to_vec();
    head.extend(tags(&[
        ("AWS_KINESISVIDEO_FRAGMENT_NUMBER", of.number.as_str()),
        ("AWS_KINESISVIDEO_SERVER_TIMESTAMP", &seconds(of.server_time.ms())),
        ("AWS_KINESISVIDEO_PRODUCER_TIMESTAMP", &seconds(of.producer_ms)),
    ]));
    head
}

/// Returns everything after the Cluster.
fn tail(fragment: &Fragment, age_ms: i64) -> Vec<u8> {
    let mut tail = fragment.trailing.to_vec();
    // In the recorded output, server timestamp + millis behind now is the time of reading.
    let behind = age_ms.to_string();
    tail.extend(tags(&[
        ("AWS_KINESISVIDEO_MILLIS_BEHIND_NOW", &behind),
        ("AWS_KINESISVIDEO_CONTINUATION_TOKEN", fragment.head.number.as_str()),
    ]));
    tail
}

/// Returns the document with which GetMedia reports an error. No recording of one is available:
/// AWS's parser library treats this form as an error (a fragment number without a server
/// timestamp).
pub(super) fn error(error_id: u32, code: &str, fragment_number: &str) -> Bytes {
    let mut out = Vec::new();
    let mut head = Vec::new();
    for (id, value) in [(0x4286, &[1_u8][..]), (0x42F7, &[1]), (0x42F2, &[4]), (0x42F3, &[8])] {
        ebml::write(&mut head, id, 1, value);
    }
    ebml::write(&mut head, 0x4282, 1, b"matroska");
    ebml::write(&mut head, 0x4287, 1, &[4]);
    ebml::write(&mut head, 0x4285, 1, &[2]);
    ebml::write(&mut out, id::EBML, 1, &head);
    out.extend_from_slice(&ebml::SEGMENT_START);
    out.extend(tags(&[
        ("AWS_KINESISVIDEO_FRAGMENT_NUMBER", fragment_number),
        ("AWS_KINESISVIDEO_ERROR_CODE", code),
        ("AWS_KINESISVIDEO_ERROR_ID", &error_id.to_string()),
    ]));
    Bytes::from(out)
}

/// Returns the text of an error id (API reference of GetMedia).
pub(super) fn error_code(error_id: u32) -> &'static str {
    match error_id {
        3002 => "STREAM_WRITE_ERROR",
        4000 => "FRAGMENT_NOT_FOUND",
        4500 => "KMS_KEY_ACCESS_DENIED",
        4501 => "KMS_KEY_DISABLED",
        4502 => "KMS_KEY_VALIDATION_ERROR",
        4503 => "KMS_KEY_UNAVAILABLE",
        4504 => "KMS_KEY_INVALID_USAGE",
        4505 => "KMS_KEY_INVALID_STATE",
        4506 => "KMS_KEY_NOT_FOUND",
        _ => "INTERNAL_ERROR",
    }
}

/// Returns one Tags element with one Tag; every size has four bytes, as in the recorded output.
fn tags(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut tag = Vec::new();
    for (name, value) in pairs {
        let mut simple = Vec::new();
        ebml::write(&mut simple, id::TAG_NAME, 4, name.as_bytes());
        ebml::write(&mut simple, id::TAG_STRING, 4, value.as_bytes());
        ebml::write(&mut tag, id::SIMPLE_TAG, 4, &simple);
    }
    let mut inner = Vec::new();
    ebml::write(&mut inner, id::TAG, 4, &tag);
    let mut out = Vec::new();
    ebml::write(&mut out, id::TAGS, 4, &inner);
    out
}

/// Formats milliseconds as AWS does in tags: seconds with three decimals.
fn seconds(ms: i64) -> String {
    let ms = ms.max(0);
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::super::fragment::{FragmentNumber, ServerTime};
    use super::*;

    #[test]
    fn tags_are_those_of_the_recorded_output() {
        let written = tags(&[
            ("AWS_KINESISVIDEO_FRAGMENT_NUMBER", FragmentNumber::new(1, 0).as_str()),
            ("AWS_KINESISVIDEO_SERVER_TIMESTAMP", &seconds(1_511_852_109_126)),
            ("AWS_KINESISVIDEO_PRODUCER_TIMESTAMP", &seconds(1_511_852_108_513)),
        ]);
        // 8 bytes of Tags head and 235 of payload, as in the recording.
        assert_eq!(written.len(), 243);
        assert_eq!(written[..14], *b"\x12\x54\xC3\x67\x10\x00\x00\xEB\x73\x73\x10\x00\x00\xE5");
        assert_eq!(seconds(5), "0.005");
    }

    #[test]
    fn a_large_fragment_comes_in_bounded_pieces() {
        let head = FragmentHead {
            sequence: 1,
            number: FragmentNumber::new(1, 0),
            server_time: ServerTime::Cloud(0),
            producer_ms: 0,
            preamble: Bytes::from_static(b"head"),
        };
        let fragment = Fragment {
            head: head.into(),
            stored_ms: 0,
            duration_ms: 0,
            cluster: vec![7; 3 * PIECE_BYTES + 5].into(),
            trailing: Bytes::new(),
        };
        let pieces = pieces(&fragment, 0);
        assert!(pieces.iter().all(|piece| piece.len() <= PIECE_BYTES));
        let total: usize = pieces.iter().map(Bytes::len).sum();
        assert_eq!(total, 4 + 243 - 9 - 9 + fragment.cluster.len() + pieces[5].len());
    }
}
