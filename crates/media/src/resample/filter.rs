//! rubato's filter from one rate to 16 kHz, and a cache of unused filters.
//!
//! Computing a filter's table takes far longer than filtering a few samples, and a stream that
//! changes its codec's rate constantly would need a new filter every few bytes. So a filter that is
//! dropped is kept for the next stream of its rate.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{
    Async, FixedAsync, Resampler as _, Resizable as _, SincInterpolationParameters,
    SincInterpolationType, WindowFunction,
};

use super::{PIECE, RATES, Ratio};
use crate::{Error, SAMPLE_RATE};

/// One unused filter of each rate: at most half a MB in a process, usually none.
static SPARE: Mutex<[Option<Async<f32>>; RATES.len()]> = Mutex::new([const { None }; RATES.len()]);

fn spare() -> MutexGuard<'static, [Option<Async<f32>>; RATES.len()]> {
    // A panic while it is locked leaves either a filter or none.
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A filter that convolves the source.
pub(super) struct Filter {
    /// Index of the rate in [`RATES`].
    index: usize,
    /// `None` only during drop.
    inner: Option<Async<f32>>,
    /// Output of one piece.
    output: Vec<f32>,
}

impl Filter {
    /// Returns a reset filter from the rate with this index.
    pub(super) fn new(index: usize, ratio: Ratio) -> Result<Self, Error> {
        let cached = spare().get_mut(index).and_then(Option::take);
        let inner = match cached {
            Some(inner) => inner,
            None => make(ratio)?,
        };
        let output = vec![0.0; inner.output_frames_max()];
        let mut filter = Self { index, inner: Some(inner), output };
        filter.reset();
        Ok(filter)
    }

    pub(super) fn reset(&mut self) {
        if let Some(inner) = &mut self.inner {
            inner.reset();
        }
    }

    /// Filters at most [`PIECE`] samples and returns the output.
    pub(super) fn piece(&mut self, source: &[f32]) -> &[f32] {
        // It cannot fail: the piece is not longer than the chunks the filter was created for.
        let written = self.convolve(source).unwrap_or(0);
        &self.output[..written]
    }

    fn convolve(&mut self, source: &[f32]) -> Option<usize> {
        let inner = self.inner.as_mut()?;
        inner.set_chunk_size(source.len()).ok()?;
        let room = self.output.len();
        let input = SequentialSlice::new(source, 1, source.len()).ok()?;
        let mut output = SequentialSlice::new_mut(&mut self.output, 1, room).ok()?;
        let (_, written) = inner.process_into_buffer(&input, &mut output, None).ok()?;
        Some(written)
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        if let Some(place) = spare().get_mut(self.index) {
            *place = self.inner.take();
        }
    }
}

fn make(ratio: Ratio) -> Result<Async<f32>, Error> {
    let interpolation = if ratio.phases() == ratio.period() {
        SincInterpolationType::Nearest
    } else {
        SincInterpolationType::Cubic
    };
    let filter =
        SincInterpolationParameters::new(ratio.taps as usize, WindowFunction::BlackmanHarris2)
            .oversampling_factor(ratio.phases() as usize)
            .interpolation(interpolation);
    let speed = f64::from(SAMPLE_RATE) / f64::from(ratio.rate);
    Async::new_sinc(speed, 1.0, &filter, PIECE, 1, FixedAsync::Input)
        .map_err(|error| Error::Decoder { reason: error.to_string() })
}
