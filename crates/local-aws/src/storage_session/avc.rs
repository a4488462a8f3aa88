//! H.264 as RTP carries it (Annex B: units behind start codes) to H.264 as Matroska stores it
//! (units behind their lengths; parameter sets in CodecPrivate, ISO/IEC 14496-15 §5.3.3).

use std::sync::Arc;

use super::picture_size::PictureSize;

const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;

/// The description of a video track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AvcConfig {
    /// CodecPrivate: the AVCDecoderConfigurationRecord.
    pub(super) record: Vec<u8>,
    /// Width and height of its pictures.
    pub(super) size: PictureSize,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    /// Units behind lengths of four bytes, without parameter sets.
    pub(super) data: Vec<u8>,
    /// It is an IDR picture, from which decoding can start.
    pub(super) is_key: bool,
    /// The track's description.
    pub(super) config: Arc<AvcConfig>,
}

/// Converts the pictures of one track.
#[derive(Debug, Default)]
pub(super) struct AvcTrack {
    sps: Vec<u8>,
    pps: Vec<u8>,
    config: Option<Arc<AvcConfig>>,
}

impl AvcTrack {
    /// Converts a picture. Returns `None` before the first key frame with its parameter sets, and
    /// if nothing of a picture is in it.
    pub(super) fn convert(&mut self, annex_b: &[u8]) -> Option<Picture> {
        let (mut data, mut is_key, mut changed) = (Vec::with_capacity(annex_b.len()), false, false);
        for unit in units(annex_b) {
            match unit[0] & 0x1F {
                SPS => changed |= replaced(&mut self.sps, unit),
                PPS => changed |= replaced(&mut self.pps, unit),
                DELIMITER => {}
                kind => {
                    is_key |= kind == IDR;
                    data.extend_from_slice(&u32::try_from(unit.len()).ok()?.to_be_bytes());
                    data.extend_from_slice(unit);
                }
            }
        }
        if changed {
            self.config = self.described().map(Arc::new);
        }
        let config = self.config.clone().filter(|_| !data.is_empty())?;
        Some(Picture { data, is_key, config })
    }

    fn described(&self) -> Option<AvcConfig> {
        let size = PictureSize::of(&self.sps)?;
        let [_, profile, compatibility, level, ..] = self.sps[..] else { return None };
        let mut record = vec![1, profile, compatibility, level, 0xFF, 0xE1];
        record.extend_from_slice(&u16::try_from(self.sps.len()).ok()?.to_be_bytes());
        record.extend_from_slice(&self.sps);
        record.push(1);
        record.extend_from_slice(&u16::try_from(self.pps.len()).ok()?.to_be_bytes());
        record.extend_from_slice(&self.pps);
        if matches!(profile, 100 | 110 | 122 | 144) {
            // 4:2:0 and 8 bits, the only ones that WebRTC sends; no extension.
            record.extend_from_slice(&[0xFD, 0xF8, 0xF8, 0]);
        }
        (!self.pps.is_empty()).then_some(AvcConfig { record, size })
    }
}

fn replaced(held: &mut Vec<u8>, unit: &[u8]) -> bool {
    let differs = held != unit;
    if differs {
        *held = unit.to_vec();
    }
    differs
}

/// Returns the units of an Annex B byte stream, none of them empty.
fn units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut starts = Vec::new();
    let mut at = 0;
    while let Some(found) =
        annex_b.get(at..).and_then(|rest| rest.windows(3).position(|window| window == [0, 0, 1]))
    {
        at += found + 3;
        starts.push(at);
    }
    let ends: Vec<usize> =
        starts.iter().skip(1).map(|start| start - 3).chain([annex_b.len()]).collect();
    starts.into_iter().zip(ends).filter_map(|(start, end)| {
        // The zeros before a start code of four bytes, and trailing ones, belong to no unit.
        let unit = annex_b.get(start..end)?;
        let len = unit.iter().rposition(|&byte| byte != 0)? + 1;
        unit.get(..len)
    })
}

#[cfg(test)]
mod tests {
    use super::super::test_video::{IDR_UNIT, KEY_FRAME, PPS_UNIT, SPS_UNIT};
    use super::*;

    fn annex_b(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
    }

    #[test]
    fn a_key_frame_is_split_into_its_description_and_its_picture() {
        let picture = AvcTrack::default().convert(&KEY_FRAME).unwrap();
        assert!(picture.is_key);
        let length = (IDR_UNIT.len() as u32).to_be_bytes();
        assert_eq!(picture.data, [&length[..], &IDR_UNIT].concat());
        let expected = [
            &[1, 0x42, 0x00, 0x0A, 0xFF, 0xE1, 0, SPS_UNIT.len() as u8][..],
            &SPS_UNIT,
            &[1, 0, PPS_UNIT.len() as u8],
            &PPS_UNIT,
        ];
        assert_eq!(picture.config.record, expected.concat());
        assert_eq!(picture.config.size, PictureSize { width: 128, height: 96 });
    }

    #[test]
    fn pictures_before_the_first_key_frame_are_dropped() {
        let mut track = AvcTrack::default();
        assert_eq!(track.convert(&annex_b(&[&[0x41, 9, 9]])), None);
        assert_eq!(track.convert(&annex_b(&[&SPS_UNIT])), None);
        assert_eq!(track.convert(&annex_b(&[&PPS_UNIT])), None);
        let picture = track.convert(&annex_b(&[&[0x41, 9, 9]])).unwrap();
        assert!(!picture.is_key);
        assert_eq!(picture.data, [0, 0, 0, 3, 0x41, 9, 9]);
    }

    #[test]
    fn a_description_is_shared_until_it_changes() {
        let mut track = AvcTrack::default();
        let first = track.convert(&KEY_FRAME).unwrap();
        let second = track.convert(&KEY_FRAME).unwrap();
        assert!(Arc::ptr_eq(&first.config, &second.config));
        let other = annex_b(&[&[0x68, 0xCE, 0x06, 0xE2], &IDR_UNIT]);
        assert_ne!(track.convert(&other).unwrap().config, first.config);
    }

    #[test]
    fn start_codes_of_both_lengths_separate_units() {
        let found: Vec<&[u8]> =
            units(&[0, 0, 1, 0x65, 1, 0, 0, 0, 1, 0x41, 2, 0, 0, 1, 0, 0, 1, 0x41, 3]).collect();
        assert_eq!(found, [&[0x65, 1][..], &[0x41, 2], &[0x41, 3]]);
        assert_eq!(units(&[1, 2, 3]).count(), 0);
    }
}
