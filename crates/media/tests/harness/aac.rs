//! AAC recordings of the testkit.

use testkit::getmedia::{self, Fragment, Framing};

use super::T0;

/// An AAC recording of the testkit: its packets, CodecPrivate and rate.
pub struct Aac {
    pub packets: Vec<Vec<u8>>,
    pub private: Vec<u8>,
    pub rate: u32,
}

impl Aac {
    pub fn open(file: &str) -> Self {
        let bytes = std::fs::read(testkit::recording().with_file_name(file)).unwrap();
        let mut file = matroska_demuxer::MatroskaFile::open(std::io::Cursor::new(bytes)).unwrap();
        let track = &file.tracks()[0];
        let private = track.codec_private().unwrap().to_vec();
        let rate = track.audio().unwrap().sampling_frequency() as u32;
        let (mut packets, mut frame) = (Vec::new(), matroska_demuxer::Frame::default());
        while file.next_frame(&mut frame).unwrap() {
            packets.push(frame.data.clone());
        }
        Self { packets, private, rate }
    }

    pub fn both() -> [Self; 2] {
        [Self::open("aac-48k-stereo.mka"), Self::open("aac-44k1-mono.mka")]
    }

    pub fn framing(&self) -> Framing {
        Framing::codec("A_AAC", Some(self.private.clone()))
    }

    pub fn fragments(&self) -> Vec<Fragment> {
        getmedia::paced(&self.packets, (1_024_000, self.rate.into()), 2000, T0)
    }

    pub fn body(&self) -> Vec<u8> {
        getmedia::body(&self.framing(), &self.fragments())
    }

    /// The packets with an ADTS header each.
    pub fn adts(&self) -> Vec<Vec<u8>> {
        let channels = self.private[1] >> 3 & 15;
        self.packets.iter().map(|packet| testkit::aac::adts(packet, self.rate, channels)).collect()
    }

    /// Decodes it with other packets and another CodecPrivate; none of the packets may fail.
    pub fn decode_with(&self, packets: &[Vec<u8>], private: Option<Vec<u8>>) -> Vec<i16> {
        let each = (self.packets.len() / packets.len()) as i64;
        let step = (each * 1_024_000, self.rate.into());
        let fragments = getmedia::paced(packets, step, 2000, T0);
        let body = getmedia::body(&Framing::codec("A_AAC", private), &fragments);
        let (outputs, _, stream) = super::decode(&body, 4096);
        assert_eq!((outputs.reports.len(), stream.counters().decode_errors), (0, 0));
        super::flushed(outputs, stream)
    }

    /// Builds a GetMedia body of these packets.
    pub fn with(packets: Vec<Vec<u8>>, private: Option<Vec<u8>>, rate: u32) -> Vec<u8> {
        let fragments = getmedia::paced(&packets, (1_024_000, rate.into()), 2000, T0);
        getmedia::body(&Framing::codec("A_AAC", private), &fragments)
    }
}
