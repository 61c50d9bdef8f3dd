//! The operator's metrics, read as Prometheus reads them.

use std::{collections::BTreeMap, net::SocketAddr};

/// All metrics at one moment.
#[derive(Default)]
pub struct Metrics(Vec<(String, f64)>);

/// Requests that wrote, by kind and verb.
#[derive(PartialEq)]
pub struct Writes(BTreeMap<String, u64>);

impl Metrics {
    /// Reads them; none when the process does not answer.
    pub async fn of(admin: SocketAddr) -> Self {
        let Ok(answer) = reqwest::get(format!("http://{admin}/metrics")).await else { return Self::default() };
        let text = answer.text().await.unwrap_or_default();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(
            lines
                .filter_map(|line| line.rsplit_once(' '))
                .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
                .collect(),
        )
    }

    /// The sum of a metric over all its labels that hold `label`.
    pub fn sum(&self, name: &str, label: &str) -> f64 {
        self.named(name).filter(|(labels, _)| labels.contains(label)).map(|(_, value)| value).sum()
    }

    /// Requests that wrote so far.
    pub fn writes(&self) -> Writes {
        let mut writes = BTreeMap::new();
        for (labels, count) in self.named("aldis_operator_writes_total") {
            let label = |name: &str| {
                let value = labels.split_once(&format!("{name}=\"")).and_then(|(_, rest)| rest.split_once('"'));
                value.map_or("", |(value, _)| value)
            };
            let code = label("code");
            let refused = if code.starts_with('2') { String::new() } else { format!(" ({code})") };
            *writes.entry(format!("{} {}{refused}", label("kind"), label("verb"))).or_default() += count as u64;
        }
        Writes(writes)
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        let labelled =
            move |(line, value): &'a (String, f64)| Some((line.strip_prefix(name)?.strip_prefix('{')?, *value));
        self.0.iter().filter_map(labelled)
    }
}

impl Writes {
    /// Those that were not there before.
    pub fn since(&self, before: &Self) -> BTreeMap<String, u64> {
        let new = self.0.iter().map(|(kind, count)| (kind.clone(), count - before.0.get(kind).unwrap_or(&0)));
        new.filter(|(_, count)| *count > 0).collect()
    }
}
