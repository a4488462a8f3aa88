//! Several frames in one block (RFC 9559 §10.3): Xiph, fixed-size and EBML lacing.

use std::ops::Range;

use super::vint::{self, Read};

/// Splits `payload` (what follows a block's header) by the lacing bits of `flags`. `frames` is
/// cleared and receives the frames' ranges in `payload`; `None` when sizes and payload contradict
/// each other.
pub(super) fn split(flags: u8, payload: &[u8], frames: &mut Vec<Range<usize>>) -> Option<()> {
    frames.clear();
    let lacing = flags & 0x06;
    if lacing == 0 {
        frames.push(0..payload.len());
        return Some(());
    }
    let count = usize::from(*payload.first()?) + 1;
    let start = match lacing {
        0x02 => xiph(payload, count, frames)?,
        0x06 => ebml(payload, count, frames)?,
        _ => {
            let total = payload.len() - 1;
            if !total.is_multiple_of(count) {
                return None;
            }
            frames.extend((0..count - 1).map(|_| 0..total / count));
            1
        }
    };
    lay_out(start, payload.len(), frames)
}

/// Turns sizes (ranges from 0) of all but the last frame into places, the last takes the rest.
fn lay_out(start: usize, end: usize, frames: &mut Vec<Range<usize>>) -> Option<()> {
    let mut at = start;
    for frame in frames.iter_mut() {
        let size = frame.end;
        *frame = at..at.checked_add(size)?;
        at = frame.end;
    }
    if at > end {
        return None;
    }
    frames.push(at..end);
    Some(())
}

fn xiph(payload: &[u8], count: usize, sizes: &mut Vec<Range<usize>>) -> Option<usize> {
    let mut at = 1;
    for _ in 0..count - 1 {
        let mut size = 0;
        loop {
            let byte = *payload.get(at)?;
            at += 1;
            size += usize::from(byte);
            if byte != 0xFF {
                break;
            }
        }
        sizes.push(0..size);
    }
    Some(at)
}

/// The first size is a number, each further one a signed difference to the one before.
fn ebml(payload: &[u8], count: usize, sizes: &mut Vec<Range<usize>>) -> Option<usize> {
    let mut at = 1;
    let mut size = 0_i64;
    for frame in 0..count - 1 {
        let Read::Done(number, len) = vint::read_number(payload.get(at..)?) else { return None };
        at += len;
        let number = i64::try_from(number).ok()?;
        let bias = (1_i64 << (7 * len - 1)) - 1;
        size = if frame == 0 { number } else { size.checked_add(number - bias)? };
        // A size beyond the payload cannot be right, and bounding it here keeps sums small.
        let checked = usize::try_from(size).ok().filter(|&size| size <= payload.len())?;
        sizes.push(0..checked);
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(flags: u8, payload: &[u8], expected: Option<&[&[u8]]>) {
        let mut frames = Vec::new();
        let outcome = split(flags, payload, &mut frames);
        let found = outcome
            .map(|()| frames.iter().map(|frame| &payload[frame.clone()]).collect::<Vec<_>>());
        assert_eq!(found.as_deref(), expected, "{flags:#x} {payload:?}");
    }

    #[test]
    fn no_lacing_is_one_frame() {
        check(0x80, b"abc", Some(&[b"abc"]));
        check(0x80, b"", Some(&[b""]));
    }

    #[test]
    fn xiph_sizes_add_up_in_steps_of_255() {
        check(0x02, b"\x02\x01\x02abbccc", Some(&[b"a", b"bb", b"ccc"]));
        let long = [&[1, 255, 1][..], &[7; 256], b"z"].concat();
        check(0x02, &long, Some(&[&[7; 256], b"z"]));
        check(0x02, b"\x01\x05ab", None);
        check(0x02, b"\x01\xFF", None);
    }

    #[test]
    fn fixed_sizes_divide_the_payload() {
        check(0x04, b"\x01aabb", Some(&[b"aa", b"bb"]));
        check(0x04, b"\x01aab", None);
        check(0x04, b"", None);
    }

    #[test]
    fn ebml_sizes_are_differences() {
        check(0x06, b"\x02\x81\xC0abbccc", Some(&[b"a", b"bb", b"ccc"]));
        check(0x06, b"\x00abc", Some(&[b"abc"]));
        check(0x06, b"\x02\x81\x80abbccc", None);
        check(0x06, b"\x01\x00", None);
    }
}
