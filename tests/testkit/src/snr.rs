//! Comparison of signals.

/// Returns the signal-to-noise ratio of `found` to `expected` in dB, infinite if they are equal.
/// Both must have the same length.
pub fn decibels(expected: &[i16], found: &[i16]) -> f64 {
    assert_eq!(expected.len(), found.len(), "signals of different length cannot be compared");
    let power = |samples: &mut dyn Iterator<Item = f64>| samples.map(|s| s * s).sum::<f64>();
    let signal = power(&mut expected.iter().map(|&s| f64::from(s)));
    let noise = power(&mut expected.iter().zip(found).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    if noise == 0.0 { f64::INFINITY } else { 10.0 * (signal / noise).log10() }
}

#[cfg(test)]
mod tests {
    use super::decibels;

    #[test]
    fn a_tenth_of_the_amplitude_is_20_decibels() {
        assert!((decibels(&[1000, -1000], &[900, -1100]) - 20.0).abs() < 1e-9);
        assert_eq!(decibels(&[1, 2], &[1, 2]), f64::INFINITY);
    }
}
