//! AAC-LC frames (ISO/IEC 14496-3) of a steady tone at any rate of AAC (one coefficient of one band
//! is not zero), and ADTS headers for any frames.

/// Samples per channel in a frame.
pub const FRAME: u32 = 1024;

/// Sampling rates in the order of their index.
pub const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// The coefficient that is not zero: within the first three bands at every rate.
const LINE: u32 = 10;

/// Scale of the coefficient, in steps of 1.5 dB.
const GAIN: u32 = 192;

// The ids of elements.
const SINGLE_CHANNEL: u32 = 0;
const CHANNEL_PAIR: u32 = 1;
const DATA: u32 = 4;
const PROGRAM_CONFIG: u32 = 5;
const FILL: u32 = 6;
const END: u32 = 7;

/// Returns the frequency of [`tone`] at this rate, Hz.
pub fn hertz(rate: u32) -> f64 {
    (f64::from(LINE) + 0.5) * f64::from(rate) / f64::from(2 * FRAME)
}

/// Returns the AudioSpecificConfig of such frames.
pub fn config(rate: u32, channels: u8) -> Vec<u8> {
    (2 << 11 | index(rate) << 7 | u16::from(channels) << 3).to_be_bytes().to_vec()
}

/// Returns `count` frames of the tone.
pub fn tone(rate: u32, channels: u8, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|frame| ended(rate, channels, frame, &[])).collect()
}

/// Returns [`tone`] with an SBR layer without meaningful content in every frame.
pub fn tone_with_sbr(rate: u32, channels: u8, count: usize) -> Vec<Vec<u8>> {
    // A fill element of three bytes with the type of SBR.
    let sbr = [(FILL, 3), (3, 4), (0xD, 4), (0, 20)];
    (0..count).map(|frame| ended(rate, channels, frame, &sbr)).collect()
}

/// Returns the tone's first frame with `bytes` of one-byte fill elements after the channel element.
pub fn tone_with_fill(rate: u32, channels: u8, bytes: usize) -> Vec<u8> {
    ended(rate, channels, 0, &[(FILL, 3), (1, 4), (0, 8)].repeat(bytes))
}

/// Returns [`tone`] with another, silent channel element of this id in every frame.
pub fn tone_and_element(rate: u32, channels: u8, count: usize, id: u32) -> Vec<Vec<u8>> {
    let silent = [(0, 8), (0, 11), (0, 3)];
    let mut element = vec![(id, 3), (1, 4)];
    if id == CHANNEL_PAIR {
        element.push((0, 1));
        element.extend(silent);
    }
    element.extend(silent);
    (0..count).map(|frame| ended(rate, channels, frame, &element)).collect()
}

/// Returns the tone in frames that begin and end with data and fill elements.
pub fn tone_among_data(rate: u32, channels: u8, count: usize) -> Vec<Vec<u8>> {
    // A fill element of 15 bits, then two bytes of data that begin on the next whole byte.
    let leading = [(FILL, 3), (1, 4), (0xA5, 8), (DATA, 3), (2, 4), (1, 1), (2, 8), (0, 1)];
    let data = [(0xFF07, 16)];
    let trailing = [(DATA, 3), (0, 4), (0, 1), (3, 8), (0xE0E0E0, 24), (FILL, 3), (0, 4)];
    let frame = |frame: usize| {
        let mut bits = Bits::default();
        bits.put(&leading);
        bits.put(&data);
        sound(&mut bits, rate, channels, frame);
        bits.put(&trailing);
        bits.put(&[(END, 3)]);
        bits.bytes
    };
    (0..count).map(frame).collect()
}

/// Returns a program_config_element of one front element, single channel or pair, with a comment.
/// It is a number of whole bytes, so it can precede any frame.
pub fn program_config(rate: u32, channels: u8) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(&[(PROGRAM_CONFIG, 3)]);
    bits.program_config(rate, channels);
    bits.bytes
}

/// Returns an AudioSpecificConfig of channel configuration 0 with its program_config_element.
pub fn config_with_program(rate: u32, channels: u8) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(&[(2, 5), (index(rate).into(), 4), (0, 4), (0, 3)]);
    bits.program_config(rate, channels);
    bits.bytes
}

/// Returns a frame in LOAS: an AudioSyncStream with an AudioMuxElement that contains the frame.
pub fn loas(frame: &[u8]) -> Vec<u8> {
    let mut bits = Bits::default();
    // useSameStreamMux; the payload's length in steps of 255 and a remainder.
    let mut fields = vec![(1, 1)];
    fields.extend(vec![(255, 8); frame.len() / 255]);
    fields.push((frame.len() as u32 % 255, 8));
    fields.extend(frame.iter().map(|byte| (u32::from(*byte), 8)));
    let len = fields.iter().map(|(_, bits)| bits).sum::<usize>().div_ceil(8);
    bits.put(&[(0x2B7, 11), (len as u32, 13)]);
    bits.put(&fields);
    bits.bytes
}

/// The fields of an ADTS header except the rate.
#[derive(Debug, Clone, Copy)]
pub struct Adts {
    /// 0: Main, 1: LC.
    pub profile: u8,
    /// The channel configuration.
    pub channels: u8,
    /// With checksums of value 0, which decoders ignore.
    pub checked: bool,
}

/// Returns `frame` with an ADTS header without CRC.
pub fn adts(frame: &[u8], rate: u32, channels: u8) -> Vec<u8> {
    Adts { profile: 1, channels, checked: false }.frame(&[frame], rate)
}

impl Adts {
    /// Returns a frame of one to four raw data blocks.
    pub fn frame(self, blocks: &[impl AsRef<[u8]>], rate: u32) -> Vec<u8> {
        let following = blocks.len() - 1;
        let (mut positions, mut payload) = (Vec::new(), Vec::new());
        for (at, block) in blocks.iter().enumerate() {
            if at > 0 {
                positions.extend((payload.len() as u16).to_be_bytes());
            }
            payload.extend(block.as_ref());
            if self.checked && following > 0 {
                payload.extend([0; 2]);
            }
        }
        if self.checked {
            payload.splice(..0, positions.into_iter().chain([0; 2]));
        }
        let len = payload.len() + 7;
        let protection = if self.checked { 0xF0 } else { 0xF1 };
        let mut bytes = vec![0xFF, protection, self.profile << 6 | (index(rate) as u8) << 2];
        bytes[2] |= self.channels >> 2;
        bytes.push(self.channels << 6 | (len >> 11) as u8);
        bytes.extend([(len >> 3) as u8, (len << 5) as u8 | 0x1F, 0xFC | following as u8]);
        bytes.extend(payload);
        bytes
    }
}

fn index(rate: u32) -> u16 {
    RATES.iter().position(|known| *known == rate).expect("a rate of AAC") as u16
}

/// Returns a frame of the tone, followed by the fields `behind`.
fn ended(rate: u32, channels: u8, frame: usize, behind: &[(u32, usize)]) -> Vec<u8> {
    let mut bits = Bits::default();
    sound(&mut bits, rate, channels, frame);
    bits.put(behind);
    bits.put(&[(END, 3)]);
    bits.bytes
}

/// Returns the channel element of the tone's frame with this index.
fn sound(bits: &mut Bits, rate: u32, channels: u8, frame: usize) {
    // The phase of a tone midway between two coefficients advances by a quarter turn per frame.
    let positive = matches!(frame % 4, 0 | 3);
    // One long sine window, three bands, no prediction.
    let window = [(0, 1), (0, 2), (0, 1), (3, 6), (0, 1)];
    if channels == 1 {
        bits.put(&[(SINGLE_CHANNEL, 3), (0, 4), (GAIN, 8)]);
        bits.put(&window);
        spectrum(bits, rate, positive);
    } else {
        // Common window, no mid/side coding.
        bits.put(&[(CHANNEL_PAIR, 3), (0, 4), (1, 1)]);
        bits.put(&window);
        bits.put(&[(0, 2)]);
        for _ in 0..2 {
            bits.put(&[(GAIN, 8)]);
            spectrum(bits, rate, positive);
        }
    }
}

/// Writes the bands of one channel in codebook 1: codewords of four coefficients of −1, 0 or 1.
fn spectrum(bits: &mut Bits, rate: u32, positive: bool) {
    // One section of three bands with equal scale factors; no pulses, no TNS, no gain control.
    bits.put(&[(1, 4), (3, 5), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1)]);
    // The width of the first bands depends on the rate (tables 4.129 to 4.147).
    let width = match rate {
        0..=8_000 => 12,
        8_001..=16_000 => 8,
        _ => 4,
    };
    for word in 0..3 * width / 4 {
        // The codewords of (0, 0, ±1, 0) and (0, 0, 0, 0).
        match (word == LINE / 4, positive) {
            (true, true) => bits.put(&[(0x16, 5)]),
            (true, false) => bits.put(&[(0x15, 5)]),
            _ => bits.put(&[(0, 1)]),
        }
    }
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Bits written.
    len: usize,
}

impl Bits {
    /// Writes a program_config_element without its id: AAC-LC, one front element, no mixdown, a
    /// comment.
    fn program_config(&mut self, rate: u32, channels: u8) {
        self.put(&[(0, 4), (1, 2), (index(rate).into(), 4), (1, 4), (0, 4), (0, 4), (0, 2)]);
        self.put(&[(0, 3), (0, 4), (0, 3), (u32::from(channels) - 1, 1), (0, 4)]);
        self.put(&[(0, self.len.next_multiple_of(8) - self.len)]);
        self.put(&[(3, 8), (0x00AA_C0FF, 24)]);
    }

    /// Writes `(value, bits)`, the most significant bit first.
    fn put(&mut self, fields: &[(u32, usize)]) {
        for (value, count) in fields {
            for bit in (0..*count).rev() {
                if self.len.is_multiple_of(8) {
                    self.bytes.push(0);
                }
                let last = self.bytes.last_mut().expect("a byte");
                *last |= ((value >> bit & 1) as u8) << (7 - self.len % 8);
                self.len += 1;
            }
        }
    }
}
