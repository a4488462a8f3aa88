//! GetMedia bodies in the framing of real captures: one complete document per fragment, AWS tags
//! before and after the Cluster, a Segment of unknown size, and optionally the oddities of
//! producers.

use crate::ebml::{self, Lacing, Size, id};
use crate::{opus, pcm::Random};

mod cluster;
pub(crate) use cluster::cluster;

mod tracks;
pub(crate) use tracks::{info, tracks};

/// A fragment number of a real capture; [`number`] counts from it.
const FIRST_NUMBER: &str = "91343852333181432392682062607743920146159169392";

/// Options of the documents.
#[derive(Debug, Clone)]
pub struct Framing {
    /// Size of the Segment; captures have `Unknown(8)` or `Unknown(1)`.
    pub segment: Size,
    /// Size of the Cluster; captures have `Bytes(8)`, live producers `Unknown(1)`.
    pub cluster: Size,
    /// Void elements between the others.
    pub void: bool,
    /// CRC-32 as the first child of Segment, Info, Tracks and Cluster (its value is not computed).
    pub crc: bool,
    /// The producer's SeekHead and Cues, whose offsets point outside of the fragment.
    pub stale_seek_head: bool,
    /// CodecID and Name padded with NUL to 32 bytes, DocType with one.
    pub nul_padding: bool,
    /// The producer's own tags before and after the Cluster.
    pub producer_tags: bool,
    /// Whether there is an Info element.
    pub info: bool,
    /// Lacing, and the number of frames per block.
    pub lacing: (Lacing, usize),
    /// BlockGroups instead of SimpleBlocks.
    pub block_groups: bool,
    /// BlockDuration of a BlockGroup, in ticks, independent of the block's length.
    pub block_duration: u64,
    /// DefaultDuration of the audio track, ns.
    pub default_duration: Option<u64>,
    /// Bytes of a video block on track 1 before each audio block; the audio is then track 2.
    pub video: Option<usize>,
    /// Whether those bytes are random, like compressed video, instead of each the first byte of a
    /// document.
    pub video_is_noise: bool,
    /// Nanoseconds in a tick.
    pub scale: u64,
    /// CodecID of the audio track.
    pub codec_id: String,
    /// CodecPrivate of the audio track.
    pub codec_private: Option<Vec<u8>>,
    /// CodecDelay of the audio track, ns.
    pub codec_delay: Option<u64>,
    /// Name of the audio track.
    pub name: String,
    /// The audio track's Audio element, if it has one.
    pub audio: Option<AudioElement>,
    /// The MimeType tag: its value, and whether it follows the Cluster instead of preceding it.
    pub mime_type: Option<(String, bool)>,
    /// The sessionId tag before the Cluster.
    pub session_id: Option<String>,
    /// A second audio track of the same codec: its name and the content of its blocks. It has the
    /// lower number.
    pub other: Option<(String, Vec<u8>)>,
}

/// The Audio element of a track.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AudioElement {
    /// SamplingFrequency, Hz.
    pub rate: f64,
    /// Channels.
    pub channels: u64,
    /// BitDepth.
    pub bit_depth: Option<u64>,
}

impl Default for Framing {
    fn default() -> Self {
        Self {
            segment: Size::Unknown(8),
            cluster: Size::Bytes(8),
            void: false,
            crc: false,
            stale_seek_head: false,
            nul_padding: false,
            producer_tags: false,
            info: true,
            lacing: (Lacing::None, 1),
            block_groups: false,
            block_duration: 20,
            default_duration: None,
            video: None,
            video_is_noise: false,
            scale: 1_000_000,
            codec_id: "A_OPUS".to_owned(),
            codec_private: Some(opus::head(1, 312, 0)),
            codec_delay: Some(6_500_000),
            name: "track".to_owned(),
            audio: Some(AudioElement { rate: 48_000.0, channels: 1, bit_depth: None }),
            mime_type: None,
            session_id: None,
            other: None,
        }
    }
}

impl Framing {
    /// Returns all oddities that do not change the content.
    pub fn odd() -> Self {
        Self {
            segment: Size::Unknown(1),
            cluster: Size::Unknown(8),
            void: true,
            crc: true,
            stale_seek_head: true,
            nul_padding: true,
            producer_tags: true,
            video: Some(3000),
            ..Self::default()
        }
    }

    /// Returns options for audio of another codec than Opus, without further description.
    pub fn codec(codec_id: &str, codec_private: Option<Vec<u8>>) -> Self {
        Self {
            codec_id: codec_id.to_owned(),
            codec_private,
            codec_delay: None,
            audio: None,
            ..Self::default()
        }
    }

    fn audio_track(&self) -> u64 {
        if self.video.is_some() || self.other.is_some() { 2 } else { 1 }
    }
}

/// A packet and its time after the fragment's start, in ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    /// Block offset, ms.
    pub offset_ms: i64,
    /// The packet.
    pub data: Vec<u8>,
    /// DiscardPadding, ns; if not 0, the packet is written as a BlockGroup.
    pub discard_padding: i64,
}

/// The content of one fragment.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// FRAGMENT_NUMBER; without it the document is not a fragment.
    pub number: Option<String>,
    /// SERVER_TIMESTAMP, ms.
    pub server_ms: Option<i64>,
    /// PRODUCER_TIMESTAMP, ms.
    pub producer_ms: Option<i64>,
    /// Cluster Timestamp, ms; `None` writes no Cluster.
    pub cluster_ms: Option<i64>,
    /// The audio.
    pub packets: Vec<Timed>,
    /// MILLIS_BEHIND_NOW; `None`: without trailing tags.
    pub millis_behind_now: Option<u64>,
}

/// Returns the fragment number `index`: increasing, and as long and irregular as real ones.
pub fn number(index: u64) -> String {
    let (head, _) = FIRST_NUMBER.split_at(FIRST_NUMBER.len() - 18);
    let (middle, step) = head.split_at(head.len() - 12);
    let counted = step.parse::<u64>().unwrap() + 4_951_760 * index;
    let tail = Random::new(index).below(10_u64.pow(18));
    format!("{middle}{counted:012}{tail:018}")
}

/// Divides packets of `frame` tenths of a millisecond into fragments of `fragment_ms`, starting at
/// `start_ms` of the producer's clock; Cluster times count from the session's start, like those of
/// KVS producers.
pub fn fragments(
    packets: &[Vec<u8>],
    frame: u32,
    fragment_ms: u32,
    start_ms: i64,
) -> Vec<Fragment> {
    paced(packets, (i64::from(frame), 10), fragment_ms, start_ms)
}

/// Like [`fragments`], for packets that each last `frame.0 / frame.1` milliseconds.
pub fn paced(
    packets: &[Vec<u8>],
    frame: (i64, i64),
    fragment_ms: u32,
    start_ms: i64,
) -> Vec<Fragment> {
    let per_fragment = (i64::from(fragment_ms) * frame.1 / frame.0).max(1) as usize;
    let at = |packet: usize| (packet as i64 * frame.0 + frame.1 / 2) / frame.1;
    packets
        .chunks(per_fragment)
        .enumerate()
        .map(|(index, chunk)| {
            let first = index * per_fragment;
            let base = at(first);
            let timed = chunk.iter().enumerate().map(|(within, data)| Timed {
                offset_ms: at(first + within) - base,
                data: data.clone(),
                discard_padding: 0,
            });
            Fragment {
                number: Some(number(index as u64)),
                server_ms: Some(start_ms + base + 600),
                producer_ms: Some(start_ms + base),
                cluster_ms: Some(base),
                packets: timed.collect(),
                millis_behind_now: Some(0),
            }
        })
        .collect()
}

/// Concatenates the fragments like GetMedia.
pub fn body(framing: &Framing, fragments: &[Fragment]) -> Vec<u8> {
    fragments.iter().flat_map(|fragment| document(framing, fragment)).collect()
}

/// Returns one fragment as a complete document.
pub fn document(framing: &Framing, fragment: &Fragment) -> Vec<u8> {
    let mut children = Vec::new();
    if framing.crc {
        children.push(ebml::element(id::CRC32, &[1, 2, 3, 4]));
    }
    if framing.stale_seek_head {
        children.push(seek_head());
    }
    if framing.info {
        children.push(info(framing));
    }
    children.push(void(framing, 148));
    children.push(tracks(framing));
    if framing.producer_tags {
        children.push(tags(&[("ENCODER", "Lavf57.71.100\0\0".to_owned())], Size::Short));
    }
    if let Some(session_id) = &framing.session_id {
        children.push(tags(&[("sessionId", session_id.clone())], Size::Short));
    }
    children.push(mime_type(framing, false));
    children.push(leading_tags(fragment));
    children.push(void(framing, 0));
    if let Some(cluster_ms) = fragment.cluster_ms {
        children.push(cluster(framing, cluster_ms, &fragment.packets));
    }
    if framing.stale_seek_head {
        children.push(ebml::element(id::CUES, &[0xBB, 0x80]));
    }
    if framing.producer_tags {
        children.push(tags(&[("ContactId", "\u{e4}\u{20ac}".to_owned())], Size::Bytes(2)));
    }
    children.push(mime_type(framing, true));
    if let (Some(behind), Some(number)) = (fragment.millis_behind_now, &fragment.number) {
        let token = ("AWS_KINESISVIDEO_CONTINUATION_TOKEN", number.clone());
        let behind = ("AWS_KINESISVIDEO_MILLIS_BEHIND_NOW", behind.to_string());
        children.push(tags(&[behind, token], Size::Bytes(4)));
    }
    let doc_type: &[u8] = if framing.nul_padding { b"matroska\0" } else { b"matroska" };
    [ebml::header(doc_type), ebml::sized(id::SEGMENT, framing.segment, &children.concat())].concat()
}

/// Returns the document with which KVS ends a body on an error; `number` as the AWS parser library
/// expects it.
pub fn error_document(error_id: u32, code: &str, number: Option<&str>) -> Vec<u8> {
    let mut values: Vec<(&str, String)> = Vec::new();
    values.extend(number.map(|number| ("AWS_KINESISVIDEO_FRAGMENT_NUMBER", number.to_owned())));
    values.push(("AWS_KINESISVIDEO_ERROR_CODE", code.to_owned()));
    values.push(("AWS_KINESISVIDEO_ERROR_ID", error_id.to_string()));
    let children = tags(&values, Size::Bytes(4));
    [ebml::header(b"matroska"), ebml::sized(id::SEGMENT, Size::Unknown(8), &children)].concat()
}

fn leading_tags(fragment: &Fragment) -> Vec<u8> {
    let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let mut values: Vec<(&str, String)> = Vec::new();
    values.extend(fragment.number.clone().map(|n| ("AWS_KINESISVIDEO_FRAGMENT_NUMBER", n)));
    let server = fragment.server_ms.map(seconds);
    values.extend(server.map(|time| ("AWS_KINESISVIDEO_SERVER_TIMESTAMP", time)));
    let producer = fragment.producer_ms.map(seconds);
    values.extend(producer.map(|time| ("AWS_KINESISVIDEO_PRODUCER_TIMESTAMP", time)));
    if values.is_empty() { Vec::new() } else { tags(&values, Size::Bytes(4)) }
}

fn mime_type(framing: &Framing, behind: bool) -> Vec<u8> {
    match &framing.mime_type {
        Some((value, place)) if *place == behind => {
            tags(&[("MimeType", value.clone())], Size::Short)
        }
        _ => Vec::new(),
    }
}

fn tags(values: &[(&str, String)], size: Size) -> Vec<u8> {
    let simple: Vec<u8> = values
        .iter()
        .flat_map(|(name, value)| {
            let name = ebml::sized(b"\x45\xA3", size, name.as_bytes());
            let value = ebml::sized(b"\x44\x87", size, value.as_bytes());
            ebml::sized(b"\x67\xC8", size, &[name, value].concat())
        })
        .collect();
    ebml::sized(id::TAGS, size, &ebml::sized(b"\x73\x73", size, &simple))
}

fn void(framing: &Framing, bytes: usize) -> Vec<u8> {
    if framing.void { ebml::sized(id::VOID, Size::Bytes(8), &vec![0; bytes]) } else { Vec::new() }
}

/// A SeekHead that points to Cues far after the fragment's end, like that of a producer's file.
fn seek_head() -> Vec<u8> {
    let entry = [ebml::element(b"\x53\xAB", id::CUES), ebml::unsigned(b"\x53\xAC", 9_000_000)];
    ebml::element(id::SEEK_HEAD, &ebml::master(b"\x4D\xBB", &entry))
}
