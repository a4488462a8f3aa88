//! Makes a recorded file readable for a demuxer that seeks.
//!
//! Files written live have a Segment and Clusters of unknown size, a SeekHead that leads nowhere, or
//! stop in the middle of a block. This copies what a reader needs (EBML header, Info, Tracks,
//! Clusters) into a document in which every size is known, up to the last whole element.

use crate::kvs::ebml::{self, Header, id};

/// The same recording with known sizes; `None` when it does not begin as Matroska does.
pub(super) fn settle(file: &[u8]) -> Option<Vec<u8>> {
    let (head, header, mut rest) = element(file)?;
    if head.id != id::EBML {
        return None;
    }
    let (segment, _) = enter(rest).filter(|(head, _)| head.id == id::SEGMENT)?;
    rest = &rest[segment.len..];
    let mut children = Vec::with_capacity(rest.len());
    while let Some((head, _)) = enter(rest) {
        let whole = match (head.id, head.size) {
            (id::CLUSTER, _) => {
                let (cluster, after) = cluster(head, rest);
                ebml::write(&mut children, id::CLUSTER, 8, cluster);
                after
            }
            (_, Some(_)) => match element(rest) {
                Some((head, payload, after)) => {
                    if matches!(head.id, id::INFO | id::TRACKS) {
                        ebml::write(&mut children, head.id, 8, payload);
                    }
                    after
                }
                None => break,
            },
            (_, None) => break,
        };
        rest = whole;
    }
    let mut settled = Vec::with_capacity(file.len() + 64);
    ebml::write(&mut settled, id::EBML, 8, header);
    ebml::write(&mut settled, id::SEGMENT, 8, &children);
    Some(settled)
}

/// The whole children of the Cluster that starts `bytes`, and what follows it.
fn cluster(head: Header, bytes: &[u8]) -> (&[u8], &[u8]) {
    let payload = &bytes[head.len..];
    let known = head.size.and_then(|size| usize::try_from(size).ok());
    let payload = payload.get(..known.unwrap_or(payload.len())).unwrap_or(payload);
    let mut end = 0;
    while let Some((child, _, after)) = element(&payload[end..]) {
        if known.is_none() && id::ends_cluster(child.id) {
            break;
        }
        end = payload.len() - after.len();
    }
    let after = known.map_or(end, |known| known.min(payload.len()));
    (&payload[..end], &bytes[head.len + after..])
}

/// The head at the start of `bytes`, and its payload as far as it is there.
fn enter(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let head = ebml::header(bytes).ok()??;
    Some((head, &bytes[head.len..]))
}

/// The whole element at the start of `bytes`: head, payload, and what follows.
fn element(bytes: &[u8]) -> Option<(Header, &[u8], &[u8])> {
    let (head, payload) = enter(bytes)?;
    let size = usize::try_from(head.size?).ok().filter(|size| *size <= payload.len())?;
    Some((head, &payload[..size], &payload[size..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(id: u32, children: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        ebml::write(&mut out, id, 8, &children.concat());
        out
    }

    fn live() -> Vec<u8> {
        let unknown_cluster = [0x1F, 0x43, 0xB6, 0x75, 0xFF];
        let block = |n: u8| master(id::SIMPLE_BLOCK, &[vec![0x81, 0, n, 0x80, n]]);
        [
            master(id::EBML, &[]),
            ebml::SEGMENT_START.to_vec(),
            master(id::SEEK_HEAD, &[vec![0xEC, 0x80]]),
            master(id::INFO, &[]),
            unknown_cluster.to_vec(),
            block(1),
            block(2),
            unknown_cluster.to_vec(),
            block(3),
        ]
        .concat()
    }

    #[test]
    fn unknown_sizes_become_known_and_stale_indexes_go() {
        let settled = settle(&live()).unwrap();
        let top = ebml::children(&settled).unwrap();
        assert_eq!(top.iter().map(|child| child.0).collect::<Vec<_>>(), [id::EBML, id::SEGMENT]);
        let inside = ebml::children(top[1].1).unwrap();
        let ids: Vec<u32> = inside.iter().map(|child| child.0).collect();
        assert_eq!(ids, [id::INFO, id::CLUSTER, id::CLUSTER]);
        assert_eq!(ebml::children(inside[1].1).unwrap().len(), 2);
        assert_eq!(settle(&settled), Some(settled), "a settled file stays as it is");
    }

    #[test]
    fn a_file_cut_anywhere_keeps_its_whole_blocks() {
        let file = live();
        for cut in 0..file.len() {
            let Some(settled) = settle(&file[..cut]) else { continue };
            let top = ebml::children(&settled).unwrap();
            for (_, cluster) in ebml::children(top[1].1).unwrap() {
                ebml::children(cluster).unwrap();
            }
        }
        assert_eq!(settle(b"RIFF"), None);
        assert_eq!(settle(b""), None);
    }
}
