//! Resampling from a codec's rate to 16 kHz, in blocks of any length.
//!
//! Uses rubato's windowed sinc filter. If the ratio of the rates has few phases, the filter's table
//! contains all of them and nothing is interpolated. If it has many (as with 44.1 kHz), a complete
//! table would take 250 KB; cubic interpolation between the nearest phases is accurate to 100 dB.
//! This module adds the bookkeeping that makes a stream reproducible: the timeline determines the
//! length of a block's output, and a filter that is reset starts at the phase of one that has run
//! from the beginning.

mod filter;

use crate::{Error, SAMPLE_RATE};
use filter::Filter;

/// Supported rates, Hz: those of AAC, in the order of their index (ISO/IEC 14496-3 table 1.18).
pub(crate) const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// Filter taps at the lower of both rates: flat to 7 kHz, −39 dB at 8.2 kHz, −78 dB at 8.5 kHz.
const TAPS: u32 = 96;

/// Longest table of a filter, in taps: 32 phases of [`TAPS`], 12 KB. The taps of a filter from a
/// higher rate are closer together, so fewer phases are enough.
const TABLE: u32 = 32 * TAPS;

/// Source samples that are filtered at a time: one AAC frame.
const PIECE: usize = 1024;

const SILENCE: [f32; PIECE] = [0.0; PIECE];

/// A resampler to 16 kHz. Its output is delayed by [`Resampler::latency`].
pub(crate) struct Resampler {
    filter: Filter,
    ratio: Ratio,
    /// Output that is not part of a block yet.
    ready: Vec<f32>,
    /// Part of an output sample by which the source is ahead of the output taken, in 1/rate.
    fraction: u32,
}

/// Returns the delay of a filter from `rate` (Hz), in samples at 16 kHz.
pub(crate) fn latency(rate: u32) -> u32 {
    if rate == SAMPLE_RATE { 0 } else { Ratio::new(rate).latency() }
}

/// The source rate and the length of the filter.
#[derive(Debug, Clone, Copy)]
struct Ratio {
    rate: u32,
    /// Taps of the filter, at the source's rate.
    taps: u32,
}

impl Ratio {
    fn new(rate: u32) -> Self {
        // rubato rounds the number of taps up to a multiple of 8.
        Self { rate, taps: (TAPS * rate.max(SAMPLE_RATE) / SAMPLE_RATE).next_multiple_of(8) }
    }

    /// Converts `source` samples to output samples: whole ones, and a remainder in 1/rate.
    fn outputs(self, source: u64) -> (u64, u32) {
        let scaled = source * u64::from(SAMPLE_RATE);
        // The remainder is smaller than the rate.
        (scaled / u64::from(self.rate), (scaled % u64::from(self.rate)) as u32)
    }

    /// Returns the delay of the filter, in output samples: half its taps, and one for rounding.
    fn latency(self) -> u32 {
        (u64::from(self.taps / 2 + 1) * u64::from(SAMPLE_RATE)).div_ceil(u64::from(self.rate))
            as u32
            + 1
    }

    /// Rounds a remainder down to one that is possible at this rate: after a change of rates it may
    /// not be.
    fn fraction(self, of_any_rate: u32) -> u32 {
        if of_any_rate >= self.rate {
            return 0;
        }
        of_any_rate - of_any_rate % greatest_divisor(self.rate, SAMPLE_RATE)
    }

    /// Returns the smallest number of source samples with this remainder.
    fn lead(self, fraction: u32) -> u64 {
        let period = u64::from(self.rate / greatest_divisor(self.rate, SAMPLE_RATE));
        (0..period).find(|lead| self.outputs(*lead).1 == fraction).unwrap_or(0)
    }

    /// Returns the number of output samples after which the phases repeat.
    fn period(self) -> u32 {
        SAMPLE_RATE / greatest_divisor(self.rate, SAMPLE_RATE)
    }

    /// Returns the number of phases in the filter's table: all of the period, or a power of two if
    /// those are too many.
    fn phases(self) -> u32 {
        let most = TABLE / self.taps;
        if self.period() <= most { self.period() } else { 1 << most.ilog2() }
    }

    /// For a source that starts `fraction` after an output: returns the number of samples of
    /// silence to insert before it, and the index of that output (negative: before the filter's
    /// first).
    ///
    /// rubato's first output is `rate/16000 - (taps/2 - 1/phases)` source samples after the first
    /// source sample. `align` moves the outputs to whole positions, `lead` to the fraction.
    fn start(self, fraction: u32) -> (u64, i64) {
        let shared = u64::from(greatest_divisor(self.rate, SAMPLE_RATE));
        let rate = u64::from(self.rate);
        let centre = u64::from(self.taps / 2) * u64::from(SAMPLE_RATE)
            - u64::from(SAMPLE_RATE / self.phases());
        let late = |align: u64| align * u64::from(SAMPLE_RATE) + centre;
        let align = (0..rate / shared).find(|align| late(*align).is_multiple_of(rate)).unwrap_or(0);
        let lead = self.lead(fraction);
        let whole = late(align) / rate + self.outputs(lead).0;
        (align + lead, whole as i64 - 1 - i64::from(self.latency()))
    }
}

impl Resampler {
    /// Creates a resampler from `rate` (Hz); `None` if the rate is 16 kHz.
    ///
    /// # Errors
    /// [`Error::Decoder`] for a rate that is not in [`RATES`].
    pub(crate) fn new(rate: u32) -> Result<Option<Self>, Error> {
        if rate == SAMPLE_RATE {
            return Ok(None);
        }
        let Some(index) = RATES.iter().position(|known| *known == rate) else {
            return Err(Error::Decoder { reason: format!("no filter from {rate} Hz") });
        };
        let ratio = Ratio::new(rate);
        let filter = Filter::new(index, ratio)?;
        let mut resampler = Self { filter, ratio, ready: Vec::new(), fraction: 0 };
        resampler.restart(0);
        Ok(Some(resampler))
    }

    /// Returns the delay of the output, in samples at 16 kHz.
    pub(crate) fn latency(&self) -> u32 {
        self.ratio.latency()
    }

    /// Resamples a block that starts `fraction`/rate of a sample after the position of its first
    /// output, and appends `len` samples to `out`.
    pub(crate) fn block(&mut self, source: &[f32], fraction: u32, len: usize, out: &mut Vec<f32>) {
        let fraction = self.ratio.fraction(fraction);
        if fraction != self.fraction {
            self.restart(fraction);
        }
        self.feed(source);
        let ahead = u64::from(self.fraction) + u64::from(self.ratio.outputs(source.len() as u64).1);
        self.fraction = (ahead % u64::from(self.ratio.rate)) as u32;
        self.take(len, out);
    }

    /// Appends `len` samples for time without source: those that the filter holds, then silence.
    /// Resets the filter.
    pub(crate) fn silence(&mut self, len: usize, out: &mut Vec<f32>) {
        let held = len.min(self.latency() as usize);
        while self.ready.len() < held {
            self.feed(&SILENCE);
        }
        self.take(held, out);
        out.resize(out.len() + len - held, 0.0);
        self.restart(0);
    }

    /// Resets the filter to the phase of a source that starts `fraction`/rate of a sample after an
    /// output.
    fn restart(&mut self, fraction: u32) {
        self.filter.reset();
        self.ready.clear();
        self.fraction = fraction;
        let (mut lead, first) = self.ratio.start(fraction);
        while lead > 0 {
            let piece = lead.min(PIECE as u64);
            self.feed(&SILENCE[..piece as usize]);
            lead -= piece;
        }
        let discarded = usize::try_from(first).unwrap_or(0).min(self.ready.len());
        self.ready.drain(..discarded);
        let missing = usize::try_from(-first).unwrap_or(0);
        self.ready.splice(..0, std::iter::repeat_n(0.0, missing));
    }

    fn feed(&mut self, source: &[f32]) {
        for piece in source.chunks(PIECE) {
            self.ready.extend_from_slice(self.filter.piece(piece));
        }
    }

    fn take(&mut self, len: usize, out: &mut Vec<f32>) {
        let here = len.min(self.ready.len());
        debug_assert_eq!(here, len, "the filter has too few samples");
        out.extend(self.ready.drain(..here));
        out.resize(out.len() + len - here, 0.0);
    }
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resampler").field("ratio", &self.ratio).finish_non_exhaustive()
    }
}

fn greatest_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn rates() -> impl Iterator<Item = u32> {
        RATES.into_iter().filter(|rate| *rate != SAMPLE_RATE)
    }

    fn tone(rate: u32, hertz: f64, len: usize) -> Vec<f32> {
        let sample = |at| (TAU * hertz * at as f64 / f64::from(rate)).sin() as f32 / 2.0;
        (0..len).map(sample).collect()
    }

    /// Resamples `source` in blocks, from block `from` on, with a resampler that is new there.
    fn run(rate: u32, source: &[f32], block: usize, from: usize) -> (Vec<f32>, u32) {
        let mut resampler = Resampler::new(rate).unwrap().unwrap();
        let (mut out, mut fraction) = (Vec::new(), 0_u64);
        for (index, samples) in source.chunks(block).enumerate() {
            let total = fraction + samples.len() as u64 * u64::from(SAMPLE_RATE);
            let len = (total / u64::from(rate)) as usize;
            if index >= from {
                resampler.block(samples, fraction as u32, len, &mut out);
            } else {
                out.resize(out.len() + len, 0.0);
            }
            fraction = total % u64::from(rate);
        }
        (out, resampler.latency())
    }

    fn decibels(expected: &[f32], found: &[f32]) -> f64 {
        let energy = |samples: &mut dyn Iterator<Item = f32>| {
            samples.map(|sample| f64::from(sample).powi(2)).sum::<f64>()
        };
        let noise = energy(&mut expected.iter().zip(found).map(|(a, b)| a - b));
        10.0 * (energy(&mut expected.iter().copied()) / noise.max(1e-30)).log10()
    }

    #[test]
    fn a_tone_is_delayed_by_the_latency_and_otherwise_equal() {
        for rate in rates() {
            // Up to three quarters of the bandwidth at the lower rate.
            for hertz in [300.0, 1_700.0, f64::from(rate.min(SAMPLE_RATE)) * 0.375] {
                let (out, latency) = run(rate, &tone(rate, hertz, rate as usize), 1024, 0);
                let latency = latency as usize;
                let expected = tone(SAMPLE_RATE, hertz, out.len() - latency);
                // After the filter's ramp at the start.
                let settled = 400;
                let snr = decibels(&expected[settled..], &out[latency + settled..]);
                assert!(snr > 70.0, "{hertz} Hz at {rate} Hz: {snr:.1} dB");
                assert!(latency <= 120, "{rate} Hz: {latency}");
            }
        }
    }

    #[test]
    fn frequencies_above_8_khz_do_not_alias() {
        for rate in [96_000, 48_000, 44_100, 32_000, 24_000, 22_050] {
            let (out, _) = run(rate, &tone(rate, 9_000.0, rate as usize), 1024, 0);
            let peak = out[400..].iter().fold(0_f32, |peak, sample| peak.max(sample.abs()));
            assert!(peak < 0.001, "{rate} Hz: {peak}");
        }
    }

    #[test]
    fn the_length_of_blocks_does_not_change_the_output() {
        for rate in rates() {
            let source = tone(rate, 440.0, rate as usize / 2);
            let (whole, _) = run(rate, &source, 1024, 0);
            for block in [1, 7, 160, 1000, 5000] {
                let (found, _) = run(rate, &source, block, 0);
                assert_eq!(found.len(), whole.len());
                assert!(decibels(&whole, &found) > 100.0, "{rate} Hz in blocks of {block}");
            }
        }
    }

    #[test]
    fn a_filter_that_starts_late_has_the_same_phase() {
        for rate in rates() {
            let source = tone(rate, 2_000.0, rate as usize);
            let (whole, latency) = run(rate, &source, 1024, 0);
            for from in 1..6 {
                let (late, _) = run(rate, &source, 1024, from);
                let settled = whole.len() - (whole.len() / 4).min(2_000).max(latency as usize);
                let snr = decibels(&whole[settled..], &late[settled..]);
                assert!(snr > 90.0, "{rate} Hz from block {from}: {snr:.1} dB");
            }
        }
    }

    #[test]
    fn a_reused_filter_gives_the_same_output() {
        for rate in rates() {
            let source = tone(rate, 440.0, rate as usize / 4);
            let first = run(rate, &source, 1024, 0);
            for _ in 0..3 {
                assert_eq!(run(rate, &source, 1024, 0), first, "{rate} Hz");
            }
        }
    }

    #[test]
    fn a_remainder_of_another_rate_leaves_enough_samples() {
        for rate in rates() {
            for left in [1, 7, 50, 333, 7_349, 7_999, 31_999, 47_999, 95_999] {
                let mut resampler = Resampler::new(rate).unwrap().unwrap();
                let (mut out, mut fraction) = (Vec::new(), left);
                for _ in 0..40 {
                    let ahead = if fraction < rate { fraction } else { 0 } + 1024 * SAMPLE_RATE;
                    resampler.block(&[0.5; 1024], fraction, (ahead / rate) as usize, &mut out);
                    fraction = ahead % rate;
                }
                let settled = 2 * resampler.latency() as usize;
                assert!(out[settled..].iter().all(|sample| (sample - 0.5).abs() < 0.01), "{rate}");
            }
        }
    }

    #[test]
    fn silence_begins_with_the_samples_that_the_filter_holds() {
        let mut resampler = Resampler::new(48_000).unwrap().unwrap();
        let mut out = Vec::new();
        resampler.block(&tone(48_000, 500.0, 4800), 0, 1600, &mut out);
        resampler.silence(1000, &mut out);
        let latency = resampler.latency() as usize;
        let expected = tone(SAMPLE_RATE, 500.0, 1600);
        assert!(decibels(&expected[100..1500], &out[100 + latency..1500 + latency]) > 60.0);
        assert_eq!(out.len(), 2600);
        assert!(out[1600 + latency + 80..].iter().all(|sample| *sample == 0.0));
    }
}
