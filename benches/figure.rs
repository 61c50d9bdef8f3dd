//! A figure over several runs.

use std::{fmt, time::Duration};

/// What each run gave, in the order of the runs.
#[derive(Clone, Debug, Default)]
pub struct Figure(Vec<f64>);

impl Figure {
    /// Takes the figure of another run.
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Takes a time of another run, in milliseconds.
    pub fn add_millis(&mut self, time: Duration) {
        self.add(time.as_secs_f64() * 1000.0);
    }

    /// This figure divided by another one, run by run.
    pub fn over(&self, other: &Self) -> Self {
        assert_eq!(self.0.len(), other.0.len(), "both were taken in the same runs");
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one / other).collect())
    }

    /// This figure divided by the median of another one.
    pub fn over_median(&self, other: &Self) -> Self {
        self.divided_by(other.median())
    }

    /// This figure divided by a number.
    pub fn divided_by(&self, divisor: f64) -> Self {
        Self(self.0.iter().map(|one| one / divisor).collect())
    }

    /// The median of all runs.
    pub fn median(&self) -> f64 {
        median(&self.sorted())
    }

    fn sorted(&self) -> Vec<f64> {
        assert!(!self.0.is_empty(), "there was a run");
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl From<f64> for Figure {
    fn from(value: f64) -> Self {
        Self(vec![value])
    }
}

/// The median, with the least and the greatest in brackets if there are several.
impl fmt::Display for Figure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sorted = self.sorted();
        if let [only] = sorted[..] {
            return write!(to, "{}", number(only));
        }
        let (least, greatest) = (sorted[0], sorted[sorted.len() - 1]);
        write!(to, "{} ({} to {})", number(median(&sorted)), number(least), number(greatest))
    }
}

/// The value below which so large a part of the sorted ones lies; 1 = the greatest.
pub fn quantile(sorted: &[f64], part: f64) -> f64 {
    assert!(!sorted.is_empty(), "there are some");
    sorted[((sorted.len() as f64 * part).ceil() as usize).clamp(1, sorted.len()) - 1]
}

fn median(sorted: &[f64]) -> f64 {
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

/// Three digits that count, or all of a whole number.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => with_commas(&format!("{value:.0}")),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn with_commas(digits: &str) -> String {
    match digits.len() {
        0..=3 => digits.to_owned(),
        length => format!("{},{}", with_commas(&digits[..length - 3]), &digits[length - 3..]),
    }
}
