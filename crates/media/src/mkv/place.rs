//! Where the elements of Matroska stand (RFC 9559 §5): an id that is found elsewhere tells of
//! damage.

use super::ids::{
    ATTACHMENTS, AUDIO, BLOCK_ADDITIONS, BLOCK_GROUP, CHAPTER_TRANSLATE, CHAPTERS, CLUSTER,
    CONTENT_ENCODINGS, CRC32, CUES, EBML, ENCRYPTED_BLOCK, INFO, MAPPING, REFERENCE_FRAME,
    SEEK_HEAD, SEGMENT, SILENT_TRACKS, SIMPLE_TAG, SLICES, TAG, TAGS, TARGETS, TRACK_ENTRY,
    TRACK_OPERATION, TRACK_TRANSLATE, TRACKS, VIDEO, VOID,
};

/// Where an element stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In any master: Void and CRC-32.
    Anywhere,
    /// In this master. What lies deeper in a master of which nothing is read has that master for
    /// its place.
    In(u32),
    /// Outside of all: EBML header and Segment.
    Top,
    /// Not known: an extension, or no id at all.
    Unknown,
}

/// The place of `id`.
pub(super) fn of(id: u32) -> Place {
    Place::In(match id {
        EBML | SEGMENT => return Place::Top,
        VOID | CRC32 => return Place::Anywhere,
        0x4281..=0x4287 | 0x42F2 | 0x42F3 | 0x42F7 => EBML,
        SEEK_HEAD | INFO | TRACKS | CLUSTER | CUES | ATTACHMENTS | CHAPTERS | TAGS => SEGMENT,
        0x4DBB | 0x53AB | 0x53AC => SEEK_HEAD,
        CHAPTER_TRANSLATE | 0x73A4 | 0x7384 | 0x3C_B923 | 0x3C_83AB | 0x3E_B923 | 0x3E_83BB
        | 0x4444 | 0x2A_D7B1 | 0x4489 | 0x4461 | 0x7BA9 | 0x4D80 | 0x5741 => INFO,
        0x69FC | 0x69BF | 0x69A5 => CHAPTER_TRANSLATE,
        TRACK_ENTRY => TRACKS,
        AUDIO
        | VIDEO
        | CONTENT_ENCODINGS
        | MAPPING
        | TRACK_OPERATION
        | TRACK_TRANSLATE
        | 0xD7
        | 0x73C5
        | 0x83
        | 0xB9
        | 0x88
        | 0x55AA..=0x55AF
        | 0x9C
        | 0x6DE7
        | 0x6DF8
        | 0x23_E383
        | 0x23_4E7A
        | 0x23_314F
        | 0x537F
        | 0x55EE
        | 0x536E
        | 0x22_B59C
        | 0x22_B59D
        | 0x86
        | 0x63A2
        | 0x25_8688
        | 0x7446
        | 0x3A_9697
        | 0x3B_4040
        | 0x26_B240
        | 0xAA
        | 0x6FAB
        | 0x56AA
        | 0x56BB
        | 0xC0
        | 0xC1
        | 0xC4
        | 0xC6
        | 0xC7 => TRACK_ENTRY,
        0xB5 | 0x78B5 | 0x9F | 0x7D7B | 0x6264 | 0x52F1 => AUDIO,
        0x9A
        | 0x9D
        | 0x53B8
        | 0x53B9
        | 0x53C0
        | 0xB0
        | 0xBA
        | 0x54AA
        | 0x54B0
        | 0x54B2
        | 0x54B3
        | 0x54BA
        | 0x54BB
        | 0x54CC
        | 0x54DD
        | 0x2E_B524
        | 0x2F_B523
        | 0x23_83E3
        | 0x55B0..=0x55BD
        | 0x55D0..=0x55DA
        | 0x7670..=0x7675 => VIDEO,
        0x6240 | 0x5031..=0x5035 | 0x4254 | 0x4255 | 0x47E1..=0x47E8 => CONTENT_ENCODINGS,
        0x41F0 | 0x41A4 | 0x41E7 | 0x41ED => MAPPING,
        0xE3..=0xE6 | 0xE9 | 0xED => TRACK_OPERATION,
        0x66FC | 0x66BF | 0x66A5 => TRACK_TRANSLATE,
        BLOCK_GROUP | SILENT_TRACKS | 0xE7 | 0xA7 | 0xAB | 0xA3 | ENCRYPTED_BLOCK => CLUSTER,
        0x58D7 => SILENT_TRACKS,
        BLOCK_ADDITIONS | REFERENCE_FRAME | SLICES | 0xA1 | 0xA2 | 0x9B | 0xFA | 0xFB | 0xFD
        | 0xA4 | 0x75A2 => BLOCK_GROUP,
        0xA6 | 0xA5 | 0xEE => BLOCK_ADDITIONS,
        0xC9 | 0xCA => REFERENCE_FRAME,
        0xE8 | 0xCB..=0xCF => SLICES,
        0xBB | 0xB2 | 0xB3 | 0xB7 | 0xF0 | 0xF1 | 0xF7 | 0x5378 | 0xEA | 0xDB | 0x96 | 0x97
        | 0x535F | 0xEB => CUES,
        0x61A7 | 0x467E | 0x466E | 0x4660..=0x4662 | 0x465C | 0x4675 | 0x46AE => ATTACHMENTS,
        0x45B9
        | 0x45BC
        | 0x45BD
        | 0x45DB
        | 0x45DD
        | 0x45E4
        | 0x4520
        | 0x4521
        | 0xB6
        | 0x73C4
        | 0x5654
        | 0x91
        | 0x92
        | 0x98
        | 0x4598
        | 0x4588
        | 0x6E67
        | 0x6EBC
        | 0x63C3
        | 0x8F
        | 0x89
        | 0x80
        | 0x85
        | 0x437C..=0x437E
        | 0x6944
        | 0x6955
        | 0x450D
        | 0x6911
        | 0x6922
        | 0x6933 => CHAPTERS,
        TAG => TAGS,
        SIMPLE_TAG | TARGETS => TAG,
        0x68CA | 0x63CA | 0x63C4..=0x63C6 | 0x63C9 => TARGETS,
        0x45A3 | 0x447A | 0x447B | 0x4484 | 0x4485 | 0x4487 | 0x44B4 => SIMPLE_TAG,
        _ => return Place::Unknown,
    })
}

/// Whether hardly anyone writes `id` into a Cluster: nothing, an EncryptedBlock, or an extension.
pub(super) fn is_rare(id: u32) -> bool {
    matches!(of(id), Place::Anywhere | Place::Unknown) || id == ENCRYPTED_BLOCK
}

/// Whether `id` is a master that is walked into whatever its size.
pub(super) fn is_walked(id: u32) -> bool {
    matches!(
        id,
        INFO | TRACKS | TRACK_ENTRY | AUDIO | CLUSTER | BLOCK_GROUP | TAGS | TAG | SIMPLE_TAG
    )
}

/// Whether `id` is a master of which nothing is read: it is passed over, and walked into only where
/// its size is unknown, to find its end.
pub(super) fn is_passed(id: u32) -> bool {
    matches!(
        id,
        SEEK_HEAD
            | CUES
            | ATTACHMENTS
            | CHAPTERS
            | CHAPTER_TRANSLATE
            | VIDEO
            | CONTENT_ENCODINGS
            | MAPPING
            | TRACK_OPERATION
            | TRACK_TRANSLATE
            | SILENT_TRACKS
            | BLOCK_ADDITIONS
            | REFERENCE_FRAME
            | SLICES
            | TARGETS
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_walked_or_passed_has_a_place() {
        for id in (0x80..0xFF).chain(0x4000..0x7FFF).chain(0x1000_0000..0x1000_0010) {
            assert!(!is_walked(id) || matches!(of(id), Place::In(_)), "{id:x}");
            assert!(!is_passed(id) || matches!(of(id), Place::In(_)), "{id:x}");
        }
    }

    #[test]
    fn the_way_up_from_every_element_ends_outside() {
        for id in (0x80..0xFF).chain(0x4000..0x7FFF).chain(0x20_0000..0x3F_FFFF) {
            let (mut place, mut steps) = (of(id), 0);
            while let Place::In(parent) = place {
                place = of(parent);
                steps += 1;
            }
            assert!(steps <= 5 && (steps == 0 || place == Place::Top), "{id:x}");
        }
    }
}
