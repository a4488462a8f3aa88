//! Rewrites a recorded file with known element sizes, for a demuxer that seeks.
//!
//! Files written live have a Segment and Clusters of unknown size, a SeekHead with invalid offsets,
//! or end within a block. This copies the elements that a reader needs (EBML header, Info, Tracks,
//! Clusters) into a document in which every size is known, up to the last complete element.

use ebml::{Header, id};

/// A recording in which every size is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FixedSizes {
    /// The document.
    pub(crate) document: Vec<u8>,
    /// Bytes at the file's end that belong to no complete element of the first Segment, if the file
    /// is cut off or damaged there, or has a second Segment; absent if it is complete. 0: it ends
    /// between two elements, before the end that its sizes declare.
    pub(crate) unusable: Option<usize>,
}

/// Returns the same recording with known sizes, or `None` if it does not begin as Matroska does.
pub(crate) fn fix_sizes(file: &[u8]) -> Option<FixedSizes> {
    let (head, header, mut rest) = element(file)?;
    if head.id != id::EBML {
        return None;
    }
    let (segment, payload) = enter(rest).filter(|(head, _)| head.id == id::SEGMENT)?;
    let mut short = is_short(segment, payload);
    rest = payload;
    // Unusable bytes after the last element that was read.
    let mut unusable = 0;
    let mut children = Vec::with_capacity(rest.len());
    while let Some((head, payload)) = enter(rest) {
        (unusable, rest) = match (head.id, head.size) {
            (id::CLUSTER, _) => {
                let cluster = Cluster::at(head, payload);
                ebml::write(&mut children, id::CLUSTER, 8, cluster.whole);
                short |= is_short(head, payload);
                (cluster.broken, cluster.after)
            }
            // A second Segment starts its time anew, so it cannot follow in the same document.
            (id::EBML | id::SEGMENT, _) => break,
            (_, Some(_)) => match element(rest) {
                Some((head, payload, after)) => {
                    if matches!(head.id, id::INFO | id::TRACKS) {
                        ebml::write(&mut children, head.id, 8, payload);
                    }
                    (0, after)
                }
                None => break,
            },
            (_, None) => break,
        };
    }
    unusable += rest.len();
    let mut document = Vec::with_capacity(file.len() + 64);
    ebml::write(&mut document, id::EBML, 8, header);
    ebml::write(&mut document, id::SEGMENT, 8, &children);
    Some(FixedSizes { document, unusable: (short || unusable > 0).then_some(unusable) })
}

/// Returns whether a payload is shorter than its header declares.
fn is_short(head: Header, payload: &[u8]) -> bool {
    head.size.is_some_and(|size| size > payload.len() as u64)
}

/// The available part of a Cluster.
struct Cluster<'a> {
    /// Its complete children.
    whole: &'a [u8],
    /// Bytes after them that form no complete child.
    broken: usize,
    /// The bytes after it.
    after: &'a [u8],
}

impl<'a> Cluster<'a> {
    /// Reads the Cluster whose payload `bytes` begin with.
    fn at(head: Header, bytes: &'a [u8]) -> Self {
        let known = head.size.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        let payload = &bytes[..known.unwrap_or(bytes.len()).min(bytes.len())];
        let mut end = 0;
        while let Some((child, _, after)) = element(&payload[end..]) {
            if known.is_none() && id::ends_cluster(child.id) {
                break;
            }
            end = payload.len() - after.len();
        }
        // A Cluster of unknown size ends at the first element that is not its child.
        let len = if known.is_some() { payload.len() } else { end };
        Self { whole: &payload[..end], broken: len - end, after: &bytes[len..] }
    }
}

/// Returns the head at the start of `bytes`, and the available part of its payload.
fn enter(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let head = ebml::header(bytes).ok()??;
    Some((head, &bytes[head.len..]))
}

/// Returns the complete element at the start of `bytes`: head, payload, and the bytes after it.
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
        let fixed = fix_sizes(&live()).unwrap().document;
        let top = ebml::children(&fixed).unwrap();
        assert_eq!(top.iter().map(|child| child.0).collect::<Vec<_>>(), [id::EBML, id::SEGMENT]);
        let inside = ebml::children(top[1].1).unwrap();
        let ids: Vec<u32> = inside.iter().map(|child| child.0).collect();
        assert_eq!(ids, [id::INFO, id::CLUSTER, id::CLUSTER]);
        assert_eq!(ebml::children(inside[1].1).unwrap().len(), 2);
        let again = fix_sizes(&fixed);
        let whole = FixedSizes { document: fixed, unusable: None };
        assert_eq!(again, Some(whole), "a fixed file stays as it is");
    }

    /// Returns how many bytes before each possible cut are in complete elements, counted forwards.
    fn usable(file: &[u8], cut: usize) -> usize {
        let whole = |cut: &usize| {
            fix_sizes(&file[..*cut]).is_some_and(|it| it.unusable.unwrap_or_default() == 0)
        };
        (0..=cut).rev().find(whole).unwrap_or_default()
    }

    #[test]
    fn a_file_cut_anywhere_keeps_its_whole_blocks_and_counts_the_rest() {
        let live = live();
        let fixed = fix_sizes(&live).unwrap().document;
        for (file, has_sizes) in [(live, false), (fixed, true)] {
            assert_eq!(fix_sizes(&file).unwrap().unusable, None);
            for cut in 0..file.len() {
                let Some(fixed) = fix_sizes(&file[..cut]) else { continue };
                let top = ebml::children(&fixed.document).unwrap();
                for (_, cluster) in ebml::children(top[1].1).unwrap() {
                    ebml::children(cluster).unwrap();
                }
                let lost = cut - usable(&file, cut);
                let expected = (has_sizes || lost > 0).then_some(lost);
                assert_eq!(fixed.unusable, expected, "cut at {cut} of {}", file.len());
            }
        }
        assert_eq!(fix_sizes(b"RIFF"), None);
        assert_eq!(fix_sizes(b""), None);
    }

    #[test]
    fn what_is_no_element_at_the_end_is_counted() {
        let mut file = live();
        file.extend([0; 7]);
        assert_eq!(fix_sizes(&file).unwrap().unusable, Some(7));
        for file in [live(), fix_sizes(&live()).unwrap().document] {
            let twice = [file.clone(), file.clone()].concat();
            assert_eq!(fix_sizes(&twice).unwrap().unusable, Some(file.len()), "two Segments");
        }
        let mut file = fix_sizes(&live()).unwrap().document;
        let last_block = file.len() - 14;
        file[last_block] = 0;
        assert_eq!(fix_sizes(&file).unwrap().unusable, Some(14), "the last block's id is damaged");
    }
}
