//! Steps through the expected and the delivered samples in parallel.

use std::ops::RangeInclusive;

use super::Comparison;

/// Samples compared at a time (100 ms): so few that a missing packet of 20 ms brings its window
/// below the minimum SNR.
const WINDOW: usize = 1600;
/// Minimum signal power for the SNR (per sample: −50 dBFS), so that rounding in near silence is
/// not an error.
const QUIET: f64 = 100.0 * 100.0;
/// Minimum SNR of each window after a decoder reset, dB; a gap or a repeat gives 3 dB at most.
const WINDOW_DECIBELS: f64 = 15.0;
/// Samples after a concealed pause in which the decoder's state may differ (300 ms): libopus is
/// within 15 dB 0.2 s after nearly every pause of the matrix, and 0.3 s after all of them.
const SETTLING: usize = 4_800;
/// Length of a search pattern (300 ms): longer than the silence between two syllables of the test's
/// speech.
const NEEDLE: usize = 4_800;
/// Maximum distance of a search: 90 s, more than the time over which repeats must be recognised.
const REACH: usize = 90 * 16_000;
/// Maximum number of faults that are located; after them nothing is compared, and all samples count
/// as wrong.
const MAX_FAULTS: usize = 8;

/// The state of a comparison.
pub(super) struct Walk<'a> {
    delivered: &'a [i16],
    seams: &'a [usize],
    /// Position in `delivered`.
    at: usize,
    /// Position in the line's sound.
    said: usize,
    /// Whether the decoder has decoded every packet and nothing else, so that its output must be
    /// exact.
    exact: bool,
    /// Position in `delivered` up to which the decoder settles after a pause.
    settled: usize,
    signal: f64,
    noise: f64,
    comparison: Comparison,
}

impl<'a> Walk<'a> {
    pub(super) fn new(delivered: &'a [i16], seams: &'a [usize]) -> Self {
        let comparison = Comparison {
            missing: 0,
            surplus: 0,
            wrong: 0,
            decibels: f64::INFINITY,
            faults: Vec::new(),
        };
        let (at, said, settled, signal, noise) = (0, 0, 0, 0.0, 0.0);
        Self { delivered, seams, at, said, exact: true, settled, signal, noise, comparison }
    }

    pub(super) fn sound(&mut self, sound: &[i16]) {
        let mut rest = sound;
        while !rest.is_empty() {
            if self.comparison.faults.len() >= MAX_FAULTS {
                self.comparison.wrong += rest.len() as u64;
                self.at = self.delivered.len();
                return;
            }
            let window = &rest[..rest.len().min(WINDOW)];
            let skipped = match self.window(window) {
                true => {
                    self.at += window.len();
                    window.len()
                }
                false => self.realign(rest),
            };
            self.said += skipped;
            rest = &rest[skipped..];
        }
    }

    /// Returns whether the samples at the current position match `window`.
    fn window(&mut self, window: &[i16]) -> bool {
        let end = self.at + window.len();
        let Some(found) = self.delivered.get(self.at..end) else { return false };
        self.exact &= self.seams.iter().all(|&seam| seam >= end);
        if self.exact && found != window {
            return false;
        }
        // The settling time is short; the windows after it verify the position.
        self.at < self.settled || self.is_close(window, found)
    }

    fn is_close(&mut self, window: &[i16], found: &[i16]) -> bool {
        let (signal, noise) = powers(window, found);
        let close = decibels(signal.max(QUIET * window.len() as f64), noise) >= WINDOW_DECIBELS;
        if close {
            self.signal += signal;
            self.noise += noise;
        }
        close
    }

    /// Finds where the line continues after a window that does not match. Returns the number of
    /// samples of the line before that position.
    fn realign(&mut self, rest: &[i16]) -> usize {
        let here = &self.delivered[self.at.min(self.delivered.len())..];
        let same = rest.iter().zip(here).take_while(|(a, b)| a == b).count();
        let (rest, here) = (&rest[same..], &here[same..]);
        self.at += same;
        self.said += same;
        self.exact = false;
        if let Some(changed) = self.changed(rest, here) {
            self.said -= same;
            return same + changed;
        }
        // A match at distance 0 is not moved: the sound differs only here.
        let moved = |place: &usize| *place > 0;
        let later = place(&rest[..rest.len().min(NEEDLE)], here).filter(moved);
        let sooner = place(&here[..here.len().min(NEEDLE)], rest).filter(moved);
        let skipped = match (later, sooner) {
            (Some(surplus), missing) if missing.is_none_or(|missing| surplus <= missing) => {
                self.fault(&format!("{} surplus", time(surplus)));
                self.comparison.surplus += surplus as u64;
                self.at += surplus;
                0
            }
            (_, Some(missing)) => {
                self.fault(&format!("{} missing", time(missing)));
                self.comparison.missing += missing as u64;
                missing
            }
            _ if here.is_empty() => {
                self.fault(&format!("{} missing at the end", time(rest.len())));
                self.comparison.missing += rest.len() as u64;
                rest.len()
            }
            _ => {
                let wrong = rest.len().min(here.len()).min(WINDOW);
                self.fault("different sound");
                self.comparison.wrong += wrong as u64;
                self.at += wrong;
                wrong
            }
        };
        self.settled = self.at + SETTLING;
        self.said -= same;
        same + skipped
    }

    /// Returns the number of compared samples if the line continues here with samples that are
    /// close to libopus's but not equal.
    fn changed(&mut self, rest: &[i16], here: &[i16]) -> Option<usize> {
        let length = rest.len().min(WINDOW);
        let (window, found) = (&rest[..length], here.get(..length)?);
        if !self.is_close(window, found) {
            return None;
        }
        let changed = window.iter().zip(found).filter(|(a, b)| a != b).count();
        self.fault(&format!("{changed} samples in a row of {length} are not libopus's"));
        self.comparison.wrong += changed as u64;
        self.at += length;
        Some(length)
    }

    /// Skips a pause before `next`. Its length follows from the position at which `next` is found
    /// or, at the line's end, where `next` may be too short for a search, from the delivered line's
    /// end.
    pub(super) fn pause(&mut self, range: &RangeInclusive<usize>, next: &[i16], last: bool) {
        let here = &self.delivered[self.at.min(self.delivered.len())..];
        let length = if last && next.len() < SETTLING + NEEDLE {
            here.len().saturating_sub(next.len()).clamp(*range.start(), *range.end())
        } else {
            length_of_pause(range, next, here)
        };
        self.at += length;
        (self.exact, self.settled) = (false, self.at + SETTLING);
    }

    fn fault(&mut self, what: &str) {
        let (at, said) = (time(self.at), time(self.said));
        self.comparison.faults.push(format!("at {at} ({said} of the sound): {what}"));
    }

    pub(super) fn done(mut self) -> Comparison {
        let rest = self.delivered.len().saturating_sub(self.at);
        if rest > 0 {
            self.fault(&format!("{} surplus at the end", time(rest)));
            self.comparison.surplus += rest as u64;
        }
        self.comparison.decibels = decibels(self.signal, self.noise);
        self.comparison
    }
}

/// Formats samples as seconds.
fn time(samples: usize) -> String {
    format!("{:.4} s", samples as f64 / 16_000.0)
}

fn powers(expected: &[i16], found: &[i16]) -> (f64, f64) {
    let power = |sum: f64, value: f64| sum + value * value;
    let signal = expected.iter().map(|&a| f64::from(a)).fold(0.0, power);
    let noise = expected.iter().zip(found).map(|(&a, &b)| f64::from(a) - f64::from(b));
    (signal, noise.fold(0.0, power))
}

fn decibels(signal: f64, noise: f64) -> f64 {
    if noise == 0.0 { f64::INFINITY } else { 10.0 * (signal / noise).log10() }
}

/// Returns the length of a pause, after which `here` continues with `next`.
fn length_of_pause(range: &RangeInclusive<usize>, next: &[i16], here: &[i16]) -> usize {
    // Skips the settling time, so that the search compares settled sound.
    let settled = SETTLING.min(next.len().saturating_sub(NEEDLE));
    let needle = &next[settled..(settled + NEEDLE).min(next.len())];
    let (first, last) = (range.start() + settled, range.end() + settled + needle.len());
    match here.get(first..last.min(here.len())) {
        Some(hay) if range.start() < range.end() && !needle.is_empty() => {
            range.start() + closest(needle, hay).unwrap_or_default()
        }
        _ => *range.start(),
    }
}

/// Returns the position of `needle` in the first [`REACH`] samples of `hay`, if it is loud enough
/// for a search.
fn place(needle: &[i16], hay: &[i16]) -> Option<usize> {
    let (signal, _) = powers(needle, &[]);
    if signal < QUIET * needle.len() as f64 || needle.len() < WINDOW {
        return None;
    }
    closest(needle, &hay[..hay.len().min(REACH)])
}

/// Returns the position in `hay` whose samples are closest to `needle`, if any are close.
fn closest(needle: &[i16], hay: &[i16]) -> Option<usize> {
    let (signal, _) = powers(needle, &[]);
    let mut limit = (signal / 10_f64.powf(WINDOW_DECIBELS / 10.0)) as i64 + 1;
    let mut best = None;
    // Starts at the loudest part, where a different sound exceeds the limit after a few samples.
    let part = NEEDLE / 32;
    let loud = |chunk: &[i16]| chunk.iter().map(|&a| i64::from(a).pow(2)).sum::<i64>();
    let loudest = needle.chunks(part).enumerate().max_by_key(|(_, chunk)| loud(chunk));
    let first = loudest.map_or(0, |(nth, _)| nth * part);
    for (place, window) in hay.windows(needle.len().max(1)).enumerate() {
        let halves = [(&needle[first..], &window[first..]), (&needle[..first], &window[..first])];
        let mut noise = 0;
        let pairs = halves.iter().flat_map(|(needle, window)| needle.iter().zip(*window));
        for (&a, &b) in pairs {
            noise += i64::from(i32::from(a) - i32::from(b)).pow(2);
            if noise >= limit {
                break;
            }
        }
        if noise < limit {
            (limit, best) = (noise, Some(place));
        }
    }
    best
}
