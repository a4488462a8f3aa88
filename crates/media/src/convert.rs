//! The last step of codecs that do not decode to 16 kHz mono: resampling and rounding.

use crate::Error;
use crate::resample::Resampler;

/// Converts mono samples at a codec's rate to 16-bit samples at 16 kHz.
#[derive(Debug)]
pub(crate) struct Converter {
    resampler: Option<Resampler>,
    /// Samples of one block at the codec's rate, mixed to one channel, −1 to 1.
    source: Vec<f32>,
    converted: Vec<f32>,
}

impl Converter {
    /// Creates a converter from `rate` (Hz).
    ///
    /// # Errors
    /// [`Error::Decoder`] for a rate that is not in [`crate::resample::RATES`].
    pub(crate) fn new(rate: u32) -> Result<Self, Error> {
        let resampler = Resampler::new(rate)?;
        Ok(Self { resampler, source: Vec::new(), converted: Vec::new() })
    }

    /// Returns the delay of the output, in samples at 16 kHz.
    pub(crate) fn latency(&self) -> u32 {
        self.resampler.as_ref().map_or(0, Resampler::latency)
    }

    /// Returns the buffer for the next block's samples, one channel.
    pub(crate) fn source(&mut self) -> &mut Vec<f32> {
        &mut self.source
    }

    /// Converts the block in [`Converter::source`] to `len` samples at the end of `out`.
    pub(crate) fn block(&mut self, fraction: u32, len: usize, out: &mut Vec<i16>) {
        match &mut self.resampler {
            None => out.extend(self.source.iter().map(|sample| to_i16(*sample))),
            Some(resampler) => {
                self.converted.clear();
                resampler.block(&self.source, fraction, len, &mut self.converted);
                out.extend(self.converted.iter().map(|sample| to_i16(*sample)));
            }
        }
        self.source.clear();
    }

    /// Appends `len` samples for time without source: those that the filter holds, then silence.
    pub(crate) fn silence(&mut self, len: usize, out: &mut Vec<i16>) {
        match &mut self.resampler {
            None => out.resize(out.len() + len, 0),
            Some(resampler) => {
                self.converted.clear();
                resampler.silence(len, &mut self.converted);
                out.extend(self.converted.iter().map(|sample| to_i16(*sample)));
            }
        }
    }
}

fn to_i16(sample: f32) -> i16 {
    // The clamp keeps the value inside i16; NaN becomes 0.
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_16_khz_every_value_is_unchanged() {
        let mut converter = Converter::new(16_000).unwrap();
        let values: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        converter.source().extend(values.iter().map(|value| f32::from(*value) / 32_768.0));
        let mut out = Vec::new();
        converter.block(0, values.len(), &mut out);
        assert_eq!(out, values);
        assert_eq!(converter.latency(), 0);
    }

    #[test]
    fn clipped_values_and_nan_stay_in_range() {
        for (sample, value) in [(1.0, 32_767), (2.5, 32_767), (-9.0, -32_768), (f32::NAN, 0)] {
            assert_eq!(to_i16(sample), value);
        }
    }
}
