//! The current rate, and the remaining time at this rate.

use std::collections::VecDeque;
use std::time::Duration;

/// Period of measurement. Layers differ, so older steps say little about the current rate.
const SPAN: Duration = Duration::from_secs(20);

/// Minimum number of steps of a measurement. With slow levels, a step takes seconds.
const STEPS: usize = 8;

/// Time until the rate is reliable.
const GUESS: Duration = Duration::from_secs(2);

/// Measures the rate.
#[derive(Debug, Default)]
pub struct Rate {
    /// Time since the start, and number of bytes done.
    samples: VecDeque<(Duration, u64)>,
}

impl Rate {
    /// Records the number of bytes done at `now`.
    pub fn note(&mut self, now: Duration, done: u64) {
        match self.samples.back() {
            Some(&(_, last)) if last == done => {}
            // At most once for each drawing.
            Some(&(time, _))
                if self.samples.len() > 1 && now < time + Duration::from_millis(50) =>
            {
                self.samples.pop_back();
                self.samples.push_back((time, done));
            }
            _ => self.samples.push_back((now, done)),
        }
        while self.samples.len() > STEPS && self.samples[1].0 + SPAN < now {
            self.samples.pop_front();
        }
    }

    /// Bytes per second. `None` if the rate is not known yet.
    pub fn per_second(&self, now: Duration) -> Option<u64> {
        let (bytes, millis) = self.measured(now)?;
        u64::try_from(bytes * 1000 / millis).ok()
    }

    /// Time for `left` bytes.
    pub fn time_left(&self, now: Duration, left: u64) -> Option<Duration> {
        let (bytes, millis) = self.measured(now)?;
        let left = u128::from(left) * millis / bytes;
        u64::try_from(left).ok().map(Duration::from_millis)
    }

    /// The number of bytes, and the milliseconds that they took. Neither is 0.
    fn measured(&self, now: Duration) -> Option<(u128, u128)> {
        let &(start, before) = self.samples.front()?;
        let &(_, done) = self.samples.back()?;
        let elapsed = now.saturating_sub(start);
        (elapsed >= GUESS && done > before)
            .then(|| (u128::from(done - before), elapsed.as_millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn no_rate_is_guessed_in_the_beginning() {
        let mut rate = Rate::default();
        rate.note(seconds(0), 0);
        rate.note(seconds(1), 1000);
        assert_eq!(rate.per_second(seconds(1)), None);
        rate.note(seconds(2), 2000);
        assert_eq!(rate.time_left(seconds(2), 5000), Some(seconds(5)));
    }

    /// Slow levels finish a chunk every few seconds, so the time since the last chunk counts too.
    #[test]
    fn what_stalls_takes_longer() {
        let mut rate = Rate::default();
        for second in 0..=5 {
            rate.note(seconds(second * 4), second * 1000);
        }
        assert_eq!(rate.time_left(seconds(20), 1000), Some(seconds(4)));
        assert_eq!(rate.time_left(seconds(40), 1000), Some(seconds(8)));
    }

    #[test]
    fn what_was_long_ago_does_not_matter() {
        let mut rate = Rate::default();
        for second in 0..100 {
            rate.note(seconds(second), second * 10_000);
        }
        for second in 100..200 {
            rate.note(seconds(second), 1_000_000 + (second - 100) * 100);
        }
        let now = rate.per_second(seconds(200)).unwrap();
        assert!((90..=110).contains(&now), "{now}");
    }
}
