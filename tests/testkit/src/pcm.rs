//! Seeded, speech-like audio.

/// SplitMix64: a small generator with the same sequence on every platform.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Starts the sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound
    }

    /// Returns one of `choices`, which must not be empty.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Returns a number from −1 to 1.
    pub fn signed_unit(&mut self) -> f64 {
        self.next_u64() as f64 / u64::MAX as f64 * 2.0 - 1.0
    }
}

/// exp(-1 / 3).
const GROWTH_STEP: f64 = 0.716_531_310_573_789_3;

/// Returns `samples` of 48 kHz mono: speech-like harmonics in syllables, with breath noise.
pub fn speech_like(seed: u64, samples: usize) -> Vec<i16> {
    let mut random = Random::new(seed);
    let base = 100.0 + random.below(80) as f64;
    let mut phase = 0.0_f64;
    (0..samples)
        .map(|index| {
            let time = index as f64 / 48_000.0;
            let pitch = base * (1.0 + 0.1 * (time * 3.1).sin() + 0.03 * (time * 11.0).sin());
            phase = (phase + pitch / 48_000.0).fract();
            let syllable = (time * 4.0 * std::f64::consts::PI).sin().max(0.0).sqrt();
            let noise = 250.0 * random.signed_unit();
            if syllable == 0.0 {
                return 0;
            }
            let voice = harmonics(phase * std::f64::consts::TAU, 1.0 + 0.6 * (time * 1.7).sin());
            (syllable * (3500.0 * voice + noise)) as i16
        })
        .collect()
}

/// Returns the sum of `(1 / k + 0.3 exp(-(k - 6 formant)² / 6)) sin(k phase)` for k from 1 to 20.
/// Sines and weights are computed from those before them, because most of the time of a test would
/// be spent on them otherwise.
fn harmonics(phase: f64, formant: f64) -> f64 {
    let (mut sine, cosine) = phase.sin_cos();
    let mut before = 0.0;
    let centre = 6.0 * formant;
    let mut weight = 0.3 * (-(1.0 - centre).powi(2) / 6.0).exp();
    let mut growth = ((2.0 * centre - 3.0) / 6.0).exp();
    let mut sum = 0.0;
    for order in 1..=20 {
        sum += (1.0 / f64::from(order) + weight) * sine;
        (before, sine) = (sine, 2.0 * cosine * sine - before);
        weight *= growth;
        growth *= GROWTH_STEP;
    }
    sum
}

/// Interleaves two mono signals of equal length.
pub fn interleave(left: &[i16], right: &[i16]) -> Vec<i16> {
    left.iter().zip(right).flat_map(|(&left, &right)| [left, right]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_harmonics_are_the_sum_of_their_sines() {
        for (phase, formant) in [(0.1, 0.4), (1.0, 1.0), (3.0, 1.6), (6.2, 0.7)] {
            let weight = |k: f64| 1.0 / k + 0.3 * (-(k - 6.0 * formant).powi(2) / 6.0).exp();
            let terms = (1..=20).map(|k| weight(f64::from(k)) * (f64::from(k) * phase).sin());
            let (sum, found) = (terms.sum::<f64>(), harmonics(phase, formant));
            assert!((sum - found).abs() < 1e-9, "{sum} {found}");
        }
    }
}
