//! The walk along a line and what was delivered, side by side.

use std::ops::RangeInclusive;

use super::Comparison;

/// Samples compared at a time (100 ms): short enough that a missing packet of 20 ms spoils its
/// window.
const WINDOW: usize = 1600;
/// A lower power than this (per sample: −50 dBFS) counts as this one: in near silence a rounding
/// is no error.
const QUIET: f64 = 100.0 * 100.0;
/// Where the decoder was made anew, each window must be this close: a hole or a repeat gives 3 dB
/// at most.
const WINDOW_DECIBELS: f64 = 15.0;
/// After a pause that was concealed the decoder's state is another one for a while: libopus is back
/// within 15 dB after 0.2 s of nearly every pause of the matrix, and after 0.3 s of all.
const SETTLING: usize = 4_800;
/// Samples that name a place in the line (300 ms: longer than the rest between two syllables of the
/// test's speech).
const NEEDLE: usize = 4_800;
/// How far from where it belongs a sound is looked for: 90 s, more than repeats must be recognised
/// over.
const REACH: usize = 90 * 16_000;
/// Disagreements that are looked into; behind them nothing is compared, and all of it counts as
/// wrong.
const MAX_FAULTS: usize = 8;

/// A walk along the line and what was delivered, side by side.
pub(super) struct Walk<'a> {
    delivered: &'a [i16],
    seams: &'a [usize],
    /// Where it is in `delivered`.
    at: usize,
    /// Where in the line's sound.
    said: usize,
    /// Whether the decoder is still in the state of one that heard every packet and nothing else.
    exact: bool,
    /// Up to here in `delivered` its state comes back after a pause.
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

    /// Whether what stands here is `window`.
    fn window(&mut self, window: &[i16]) -> bool {
        let end = self.at + window.len();
        let Some(found) = self.delivered.get(self.at..end) else { return false };
        self.exact &= self.seams.iter().all(|&seam| seam >= end);
        if self.exact && found != window {
            return false;
        }
        // What a decoder needs to settle is short; the windows behind it prove its place.
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

    /// Finds where the line goes on after a window that is not what it should be; returns how much
    /// of it lies behind then.
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
        // A sound that is found where it belongs is another one only here.
        let moved = |place: &usize| *place > 0;
        let later = place(&rest[..rest.len().min(NEEDLE)], here).filter(moved);
        let sooner = place(&here[..here.len().min(NEEDLE)], rest).filter(moved);
        let skipped = match (later, sooner) {
            (Some(surplus), missing) if missing.is_none_or(|missing| surplus <= missing) => {
                self.fault(&format!("{} too much", time(surplus)));
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
                self.fault(&format!("{} missing, to the end", time(rest.len())));
                self.comparison.missing += rest.len() as u64;
                rest.len()
            }
            _ => {
                let wrong = rest.len().min(here.len()).min(WINDOW);
                self.fault("another sound");
                self.comparison.wrong += wrong as u64;
                self.at += wrong;
                wrong
            }
        };
        self.settled = self.at + SETTLING;
        self.said -= same;
        same + skipped
    }

    /// The line goes on here, with other samples than libopus's: how many were compared.
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

    /// A pause, before `next`: as long as the place where that is heard says; at the line's end,
    /// where it may be too short to be told, as the delivered line's end says.
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
        self.comparison.faults.push(format!("at {at} ({said} of what was said): {what}"));
    }

    pub(super) fn done(mut self) -> Comparison {
        let rest = self.delivered.len().saturating_sub(self.at);
        if rest > 0 {
            self.fault(&format!("{} too much, to the end", time(rest)));
            self.comparison.surplus += rest as u64;
        }
        self.comparison.decibels = decibels(self.signal, self.noise);
        self.comparison
    }
}

/// Samples as seconds.
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

/// How long a pause is behind which `next` is heard in `here`.
fn length_of_pause(range: &RangeInclusive<usize>, next: &[i16], here: &[i16]) -> usize {
    // Behind what a decoder needs to settle, so that the place is found by its sound.
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

/// Where in the first [`REACH`] of `hay` the loud `needle` is heard.
fn place(needle: &[i16], hay: &[i16]) -> Option<usize> {
    let (signal, _) = powers(needle, &[]);
    if signal < QUIET * needle.len() as f64 || needle.len() < WINDOW {
        return None;
    }
    closest(needle, &hay[..hay.len().min(REACH)])
}

/// Where in `hay` the samples are closest to `needle`, if they are close anywhere.
fn closest(needle: &[i16], hay: &[i16]) -> Option<usize> {
    let (signal, _) = powers(needle, &[]);
    let mut limit = (signal / 10_f64.powf(WINDOW_DECIBELS / 10.0)) as i64 + 1;
    let mut best = None;
    // From its loudest part on: what is another sound is known after a few samples.
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
