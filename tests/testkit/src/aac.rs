//! AAC-LC frames (ISO/IEC 14496-3) of one steady tone, at any rate that AAC knows: one coefficient
//! of one band is not zero. And ADTS headers for frames from anywhere.

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

/// The tone of [`tone`] at this rate, Hz.
pub fn hertz(rate: u32) -> f64 {
    (f64::from(LINE) + 0.5) * f64::from(rate) / f64::from(2 * FRAME)
}

/// The AudioSpecificConfig of such frames.
pub fn config(rate: u32, channels: u8) -> Vec<u8> {
    (2 << 11 | index(rate) << 7 | u16::from(channels) << 3).to_be_bytes().to_vec()
}

/// `count` frames of the tone.
pub fn tone(rate: u32, channels: u8, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|frame| ended(rate, channels, frame, &[])).collect()
}

/// [`tone`] with a layer of SBR in every frame, whose content says nothing.
pub fn tone_with_sbr(rate: u32, channels: u8, count: usize) -> Vec<Vec<u8>> {
    // A fill element of three bytes that says it carries SBR.
    let sbr = [(FILL, 3), (3, 4), (0xD, 4), (0, 20)];
    (0..count).map(|frame| ended(rate, channels, frame, &sbr)).collect()
}

/// The tone's first frame with `bytes` of filling behind its sound, in one-byte fill elements.
pub fn tone_with_fill(rate: u32, channels: u8, bytes: usize) -> Vec<u8> {
    ended(rate, channels, 0, &[(FILL, 3), (1, 4), (0, 8)].repeat(bytes))
}

/// [`tone`] with another channel element of this id in every frame, silent.
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

/// The tone in frames that begin and end with data and filling.
pub fn tone_among_data(rate: u32, channels: u8, count: usize) -> Vec<Vec<u8>> {
    // Fifteen bits of filling, then two bytes of data that begin on the next whole byte.
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

/// A program_config_element of one front element, single channel or pair, with a comment. It fills
/// whole bytes, so it can stand before any frame.
pub fn program_config(rate: u32, channels: u8) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(&[(PROGRAM_CONFIG, 3)]);
    bits.program_config(rate, channels);
    bits.bytes
}

/// An AudioSpecificConfig of channel configuration 0, and the program_config_element it then holds.
pub fn config_with_program(rate: u32, channels: u8) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(&[(2, 5), (index(rate).into(), 4), (0, 4), (0, 3)]);
    bits.program_config(rate, channels);
    bits.bytes
}

/// A frame as LOAS carries it: AudioSyncStream around an AudioMuxElement, here with the frame as it
/// is.
pub fn loas(frame: &[u8]) -> Vec<u8> {
    let mut bits = Bits::default();
    // The configuration of before holds; the payload's length in 255s and what is left.
    let mut fields = vec![(1, 1)];
    fields.extend(vec![(255, 8); frame.len() / 255]);
    fields.push((frame.len() as u32 % 255, 8));
    fields.extend(frame.iter().map(|byte| (u32::from(*byte), 8)));
    let len = fields.iter().map(|(_, bits)| bits).sum::<usize>().div_ceil(8);
    bits.put(&[(0x2B7, 11), (len as u32, 13)]);
    bits.put(&fields);
    bits.bytes
}

/// What an ADTS header says beside the rate.
#[derive(Debug, Clone, Copy)]
pub struct Adts {
    /// 0 is Main, 1 is LC.
    pub profile: u8,
    /// The channel configuration.
    pub channels: u8,
    /// With checksums, whose value is 0: decoders do not look at it.
    pub checked: bool,
}

/// `frame` behind an ADTS header without CRC.
pub fn adts(frame: &[u8], rate: u32, channels: u8) -> Vec<u8> {
    Adts { profile: 1, channels, checked: false }.frame(&[frame], rate)
}

impl Adts {
    /// One to four raw data blocks behind one header.
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

/// A frame of the tone, and `behind` its sound these fields.
fn ended(rate: u32, channels: u8, frame: usize, behind: &[(u32, usize)]) -> Vec<u8> {
    let mut bits = Bits::default();
    sound(&mut bits, rate, channels, frame);
    bits.put(behind);
    bits.put(&[(END, 3)]);
    bits.bytes
}

/// The channel element of the tone's frame with this index.
fn sound(bits: &mut Bits, rate: u32, channels: u8, frame: usize) {
    // A tone midway between two coefficients moves on by a quarter of a turn (and whole ones) in a
    // frame.
    let positive = matches!(frame % 4, 0 | 3);
    // One long window with a sine's shape, three bands, no prediction.
    let window = [(0, 1), (0, 2), (0, 1), (3, 6), (0, 1)];
    if channels == 1 {
        bits.put(&[(SINGLE_CHANNEL, 3), (0, 4), (GAIN, 8)]);
        bits.put(&window);
        spectrum(bits, rate, positive);
    } else {
        // Both channels share the window, and are no sum and difference.
        bits.put(&[(CHANNEL_PAIR, 3), (0, 4), (1, 1)]);
        bits.put(&window);
        bits.put(&[(0, 2)]);
        for _ in 0..2 {
            bits.put(&[(GAIN, 8)]);
            spectrum(bits, rate, positive);
        }
    }
}

/// One channel's bands, all in codebook 1: four coefficients of −1, 0 or 1 in a word.
fn spectrum(bits: &mut Bits, rate: u32, positive: bool) {
    // One section of three bands, whose scales do not differ; no pulses, no noise shaping, no gain
    // control.
    bits.put(&[(1, 4), (3, 5), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1)]);
    // The first bands' width differs by rate (tables 4.129 to 4.147).
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
    /// A program_config_element without its id: AAC-LC, one front element, no mixdown, a comment.
    fn program_config(&mut self, rate: u32, channels: u8) {
        self.put(&[(0, 4), (1, 2), (index(rate).into(), 4), (1, 4), (0, 4), (0, 4), (0, 2)]);
        self.put(&[(0, 3), (0, 4), (0, 3), (u32::from(channels) - 1, 1), (0, 4)]);
        self.put(&[(0, self.len.next_multiple_of(8) - self.len)]);
        self.put(&[(3, 8), (0x00AA_C0FF, 24)]);
    }

    /// Writes `(value, bits)`, the highest bit first.
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
