//! Recorded files: one document, Clusters of five seconds, no AWS tags.

use crate::ebml::{self, id};
use crate::getmedia::{self, Framing, Timed};

/// Length of a Cluster, ms.
const CLUSTER_MS: i64 = 5000;

/// Returns a Matroska file of `packets`, whose offsets count from its start.
pub fn file(framing: &Framing, packets: &[Timed]) -> Vec<u8> {
    let mut children = vec![getmedia::info(framing), getmedia::tracks(framing)];
    let same_cluster = |a: &Timed, b: &Timed| a.offset_ms / CLUSTER_MS == b.offset_ms / CLUSTER_MS;
    for cluster in packets.chunk_by(same_cluster) {
        let start = cluster[0].offset_ms;
        let within =
            |packet: &Timed| Timed { offset_ms: packet.offset_ms - start, ..packet.clone() };
        let timed: Vec<Timed> = cluster.iter().map(within).collect();
        children.push(getmedia::cluster(framing, start, &timed));
    }
    let segment = ebml::sized(id::SEGMENT, framing.segment, &children.concat());
    [ebml::header(b"matroska"), segment].concat()
}

/// Assigns consecutive times from 0 to packets of `frame` tenths of a millisecond.
pub fn timed(packets: &[Vec<u8>], frame: u32) -> Vec<Timed> {
    let at = |index: usize| (index as i64 * i64::from(frame) + 5) / 10;
    let time = |(index, data): (usize, &Vec<u8>)| Timed {
        offset_ms: at(index),
        data: data.clone(),
        discard_padding: 0,
    };
    packets.iter().enumerate().map(time).collect()
}
