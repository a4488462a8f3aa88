//! AAC-LC frames (ISO/IEC 14496-3) of one steady tone, at any rate that AAC knows: one coefficient of one band
//! is not zero. And ADTS headers for frames from anywhere.

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
    // A tone midway between two coefficients moves on by a quarter of a turn (and whole ones) in a frame.
    let frame = |frame: usize| {
        let mut bits = sound(rate, channels, matches!(frame % 4, 0 | 3));
        bits.put(&[(7, 3)]);
        bits.bytes
    };
    (0..count).map(frame).collect()
}

/// [`tone`] with a layer of SBR in every frame, whose content says nothing.
pub fn tone_with_sbr(rate: u32, channels: u8, count: usize) -> Vec<Vec<u8>> {
    let frame = |frame: usize| {
        let mut bits = sound(rate, channels, matches!(frame % 4, 0 | 3));
        // A fill element of three bytes that says it carries SBR.
        bits.put(&[(6, 3), (3, 4), (0xD, 4), (0, 20), (7, 3)]);
        bits.bytes
    };
    (0..count).map(frame).collect()
}

/// `frame` behind an ADTS header without CRC.
pub fn adts(frame: &[u8], rate: u32, channels: u8) -> Vec<u8> {
    let len = frame.len() + 7;
    let mut bytes = vec![0xFF, 0xF1, 1 << 6 | (index(rate) as u8) << 2, channels << 6];
    bytes[3] |= (len >> 11) as u8;
    bytes.extend([(len >> 3) as u8, (len << 5) as u8 | 0x1F, 0xFC]);
    bytes.extend(frame);
    bytes
}

fn index(rate: u32) -> u16 {
    RATES.iter().position(|known| *known == rate).expect("a rate of AAC") as u16
}

/// A frame without its end.
fn sound(rate: u32, channels: u8, positive: bool) -> Bits {
    let mut bits = Bits::default();
    // One long window with a sine's shape, three bands, no prediction.
    let window = |bits: &mut Bits| bits.put(&[(0, 1), (0, 2), (0, 1), (3, 6), (0, 1)]);
    if channels == 1 {
        bits.put(&[(0, 3), (0, 4), (GAIN, 8)]);
        window(&mut bits);
        spectrum(&mut bits, rate, positive);
    } else {
        // Both channels share the window, and are no sum and difference.
        bits.put(&[(1, 3), (0, 4), (1, 1)]);
        window(&mut bits);
        bits.put(&[(0, 2)]);
        for _ in 0..2 {
            bits.put(&[(GAIN, 8)]);
            spectrum(&mut bits, rate, positive);
        }
    }
    bits
}

/// One channel's bands, all in codebook 1: four coefficients of −1, 0 or 1 in a word.
fn spectrum(bits: &mut Bits, rate: u32, positive: bool) {
    // One section of three bands, whose scales do not differ; no pulses, no noise shaping, no gain control.
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
