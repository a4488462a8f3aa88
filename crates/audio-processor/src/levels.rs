//! Signal level of a chunk, which shows in the logs whether speech or silence arrived.

/// Peak and RMS level of samples, relative to full scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// The peak level in dBFS: 0 is full scale, [`Levels::SILENCE`] is digital silence.
    pub peak: f64,
    /// The RMS level in dBFS.
    pub rms: f64,
}

impl Levels {
    /// The value for digital silence, in dBFS: below the 16-bit quantization step (−90.3 dBFS).
    pub const SILENCE: f64 = -96.0;

    /// Measures samples. An empty slice measures as silence.
    pub fn of(samples: &[i16]) -> Self {
        let peak =
            samples.iter().map(|sample| f64::from(sample.unsigned_abs())).fold(0.0, f64::max);
        let power: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        let rms = (power / (samples.len().max(1) as f64)).sqrt();
        Self { peak: dbfs(peak), rms: dbfs(rms) }
    }
}

fn dbfs(value: f64) -> f64 {
    if value <= 0.0 { Levels::SILENCE } else { 20.0 * (value / 32_768.0).log10() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_relative_to_full_scale() {
        let full = Levels::of(&[i16::MIN; 8]);
        assert_eq!((full.peak, full.rms), (0.0, 0.0));
        let half = Levels::of(&[16_384, -16_384]);
        assert!((half.rms + 6.02).abs() < 0.01 && (half.peak + 6.02).abs() < 0.01);
        for silent in [&[0, 0][..], &[]] {
            assert_eq!(Levels::of(silent), Levels { peak: -96.0, rms: -96.0 });
        }
    }
}
