//! Clusters: blocks of audio, of video and of another track.

use super::{Framing, Timed, void};
use crate::ebml::{self, Lacing, id};
use crate::pcm::Random;

pub(crate) fn cluster(framing: &Framing, cluster_ms: i64, packets: &[Timed]) -> Vec<u8> {
    let ticks = |ms: i64| ms * 1_000_000 / framing.scale as i64;
    let mut children = Vec::new();
    if framing.crc {
        children.push(ebml::element(id::CRC32, &[5, 6, 7, 8]));
    }
    children.push(ebml::unsigned(id::TIMESTAMP, ticks(cluster_ms) as u64));
    children.push(void(framing, 3));
    let (lacing, together) = framing.lacing;
    for frames in packets.chunks(together) {
        let offset = i16::try_from(ticks(frames[0].offset_ms)).expect("block outside its Cluster");
        if let Some(bytes) = framing.video {
            let frame =
                if framing.video_is_noise { noise(bytes, offset) } else { vec![0x1A; bytes] };
            let video = ebml::block(1, offset, 0x80, Lacing::None, &[&frame]);
            children.push(ebml::element(id::SIMPLE_BLOCK, &video));
        }
        if let Some((_, data)) = &framing.other {
            let block = ebml::block(1, offset, 0x80, Lacing::None, &[data]);
            children.push(ebml::element(id::SIMPLE_BLOCK, &block));
        }
        children.push(audio_block(framing, offset, lacing, frames));
    }
    ebml::sized(id::CLUSTER, framing.cluster, &children.concat())
}

/// Returns random bytes, like compressed video.
fn noise(bytes: usize, offset: i16) -> Vec<u8> {
    let mut random = Random::new(offset.unsigned_abs().into());
    let words = std::iter::repeat_with(|| random.next_u64().to_le_bytes());
    words.flatten().take(bytes).collect()
}

fn audio_block(framing: &Framing, offset: i16, lacing: Lacing, frames: &[Timed]) -> Vec<u8> {
    let data: Vec<&[u8]> = frames.iter().map(|frame| &frame.data[..]).collect();
    let padding = frames.last().map_or(0, |frame| frame.discard_padding);
    let group = framing.block_groups || padding != 0;
    let flags = if group { 0 } else { 0x80 };
    let block = ebml::block(framing.audio_track(), offset, flags, lacing, &data);
    if !group {
        return ebml::element(id::SIMPLE_BLOCK, &block);
    }
    let duration = ebml::unsigned(b"\x9B", framing.block_duration);
    let mut children = vec![ebml::element(id::BLOCK, &block), duration];
    if padding != 0 {
        children.push(ebml::element(id::DISCARD_PADDING, &padding.to_be_bytes()));
    }
    ebml::master(id::BLOCK_GROUP, &children)
}
