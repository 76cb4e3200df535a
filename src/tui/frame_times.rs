//! Measures frame times for benchmarks, if `ANIMECACHE_FRAME_TIMES` is set.

use std::time::Duration;

use crate::output::print_error;

/// If this variable is set, a summary of the frame times is written to stderr at the end.
const FRAME_TIMES: &str = "ANIMECACHE_FRAME_TIMES";

/// The time of each frame.
pub(crate) struct FrameTimes(Option<Vec<Duration>>);

impl FrameTimes {
    /// Records nothing unless the variable is set.
    pub(crate) fn from_environment() -> Self {
        Self(std::env::var_os(FRAME_TIMES).map(|_| Vec::new()))
    }

    /// Records the time of one frame.
    pub(crate) fn record(&mut self, time: Duration) {
        if let Some(times) = &mut self.0 {
            times.push(time);
        }
    }

    /// Writes the summary.
    pub(crate) fn report(self) {
        let Some(mut times) = self.0 else { return };
        times.sort_unstable();
        let at = |part: f64| {
            times.get(((times.len() as f64 * part) as usize).min(times.len() - 1)).copied().unwrap_or_default()
        };
        let (count, middle, most, max) = (times.len(), at(0.5), at(0.95), at(1.0));
        print_error(&format!("frames: {count}, render time: median {middle:?}, 95% {most:?}, max {max:?}"));
    }
}
