//! Names the kind of a file that is no Matroska or WebM file, from its first bytes. Also part of
//! the example `decode` of the crate `media`.

/// The command that makes a recording of any audio or video file.
pub(crate) const CONVERT: &str = "`ffmpeg -i IN -c:a libopus -ac 1 OUT.mka`";

/// Bytes at the start of a file that are enough to name its kind.
pub(crate) const HEAD: usize = 512;

/// The start of an EBML document, which Matroska and WebM files are.
pub(crate) const EBML: [u8; 4] = [0x1A, 0x45, 0xDF, 0xA3];

/// Returns the kind of a file that no Matroska parser accepts, from its first bytes: all of them,
/// or at least [`HEAD`].
pub(crate) fn file_kind(head: &[u8]) -> &'static str {
    let head = &head[..head.len().min(HEAD)];
    match head {
        [] => "an empty file",
        _ if head.starts_with(&EBML) => "the beginning of a Matroska file",
        _ if head.iter().all(|byte| *byte == 0) => "only zero bytes",
        _ => container(head).unwrap_or(if is_text(head) {
            "a text file"
        } else {
            "a file of an unknown kind"
        }),
    }
}

/// Returns the name of a known audio or video format.
fn container(head: &[u8]) -> Option<&'static str> {
    match head {
        [b'I', b'D', b'3', ..] => Some("an MP3 file"),
        // MPEG audio: the layer in two bits, of which ADTS (AAC) has zeros.
        [0xFF, second, ..] if second & 0xE6 == 0xE2 => Some("an MP3 file"),
        [0xFF, second, ..] if second & 0xE6 == 0xE4 => Some("an MP2 file"),
        [0xFF, second, ..] if second & 0xF6 == 0xF0 => Some("an AAC file"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("an MP4 file"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some("a WAV file"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', ..] => Some("an AVI file"),
        [b'F', b'O', b'R', b'M', _, _, _, _, b'A', b'I', b'F', ..] => Some("an AIFF file"),
        [b'O', b'g', b'g', b'S', ..] => Some("an Ogg file"),
        [b'f', b'L', b'a', b'C', ..] => Some("a FLAC file"),
        [b'F', b'L', b'V', ..] => Some("an FLV file"),
        [b'#', b'!', b'A', b'M', b'R', ..] => Some("an AMR file"),
        [0x47, rest @ ..] if rest.get(187) == Some(&0x47) => Some("an MPEG transport stream"),
        [0x30, 0x26, 0xB2, 0x75, ..] => Some("a WMA or WMV file"),
        [0x1F, 0x8B, ..] | [b'P', b'K', 3, 4, ..] => Some("a compressed file"),
        _ => None,
    }
}

/// Returns whether bytes are UTF-8 without control characters. The last character may be cut off.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|sign| !sign.is_control() || "\t\r\n".contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_its_first_bytes() {
        let transport = [&[0x47][..], &[0; 187], &[0x47]].concat();
        for (head, kind) in [
            (&b""[..], "an empty file"),
            (b"ID3\x04\0\0", "an MP3 file"),
            (&[0xFF, 0xFB, 0x90, 0x64], "an MP3 file"),
            (&[0xFF, 0xFD, 0x84, 0x04], "an MP2 file"),
            (&[0xFF, 0xF1, 0x50, 0x80], "an AAC file"),
            (b"\0\0\0\x20ftypisom", "an MP4 file"),
            (b"RIFF\0\0\0\0WAVEfmt ", "a WAV file"),
            (b"RIFF\0\0\0\0AVI LIST", "an AVI file"),
            (b"OggS\0\x02", "an Ogg file"),
            (b"fLaC\0\0", "a FLAC file"),
            (&transport, "an MPEG transport stream"),
            (b"# Notes\n\nA line.\r\n", "a text file"),
            ("Gr\u{fc}\u{df}e".as_bytes(), "a text file"),
            (&"Gr\u{fc}".as_bytes()[..3], "a text file"),
            (&[0; 600], "only zero bytes"),
            (&[0x1A, 0x45, 0xDF, 0xA3, 0x9F], "the beginning of a Matroska file"),
            (&[0x80, 1, 2, 3], "a file of an unknown kind"),
            (b"a\0b", "a file of an unknown kind"),
        ] {
            assert_eq!(file_kind(head), kind, "{head:?}");
        }
    }
}
