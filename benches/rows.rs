//! Which rows are measured: all of them, or those that are named.

/// A row that can be measured by itself.
pub struct Row {
    /// What it is called.
    pub name: &'static str,
    /// What is measured.
    pub about: &'static str,
    /// Objects that it is measured with, if that can be chosen: `NAME-1000`.
    pub sizes: &'static [u32],
}

/// All rows, in the order in which they are measured.
pub const ROWS: [Row; 13] = [
    Row { name: "store", about: "the engine's store alone", sizes: &[] },
    Row { name: "choice", about: "an agent chosen among ten and among a thousand", sizes: &[] },
    Row { name: "inbound", about: "an engine that takes messages", sizes: &[] },
    Row {
        name: "history",
        about: "an engine with a million messages, and a customer with 100,000 interactions",
        sizes: &[],
    },
    Row { name: "streams", about: "1,000 agents' streams, with up to 10,000 customers who wait", sizes: &[] },
    Row { name: "way", about: "a webhook through gateway and engine, and a reply to the provider", sizes: &[] },
    Row {
        name: "operator",
        about: "channels from nothing to Ready, beside a plain client (API server and KWOK)",
        sizes: &[100, 1_000, 3_000],
    },
    Row { name: "settled", about: "the operator while nothing happens (simulated API server)", sizes: &[10_000] },
    Row { name: "edit", about: "one edit among many channels (simulated API server)", sizes: &[10_000] },
    Row {
        name: "bad-queue",
        about: "queues that turn bad, until a condition says so (simulated API server)",
        sizes: &[10_000],
    },
    Row {
        name: "restart",
        about: "the operator restarted over settled channels (simulated API server)",
        sizes: &[10_000],
    },
    Row { name: "silent", about: "pods that do not answer (simulated API server)", sizes: &[3_000] },
    Row { name: "node", about: "memory, and from applied to in force (a real node)", sizes: &[] },
];

/// The rows that are wanted.
pub struct Wanted(Vec<(String, Option<u32>)>);

impl Wanted {
    /// Reads names of rows. None = all.
    ///
    /// # Errors
    /// Which names there are.
    pub fn parse(names: &[String]) -> Result<Self, String> {
        names.iter().map(|name| parse(name).ok_or_else(|| unknown(name))).collect::<Result<_, _>>().map(Self)
    }

    /// Whether all rows are wanted.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a row is wanted.
    pub fn has(&self, row: &str) -> bool {
        self.is_everything() || self.0.iter().any(|(name, _)| name == row)
    }

    /// The sizes with which a row is wanted.
    pub fn sizes(&self, row: &str) -> Vec<u32> {
        let usual = ROWS.iter().find(|known| known.name == row).map_or(&[][..], |known| known.sizes);
        if self.is_everything() {
            return usual.to_vec();
        }
        let named = self.0.iter().filter(|(name, _)| name == row);
        named.flat_map(|(_, size)| size.map_or_else(|| usual.to_vec(), |size| vec![size])).collect()
    }
}

fn parse(name: &str) -> Option<(String, Option<u32>)> {
    ROWS.iter().find_map(|row| match name.strip_prefix(row.name)? {
        "" => Some((row.name.to_owned(), None)),
        size if !row.sizes.is_empty() => Some((row.name.to_owned(), Some(size.strip_prefix('-')?.parse().ok()?))),
        _ => None,
    })
}

fn unknown(name: &str) -> String {
    let rows = ROWS.iter().map(|Row { name, about, sizes }| {
        let sizes = sizes.iter().map(|size| format!(" {name}-{size}")).collect::<String>();
        format!(
            "  {name:<12}{about}{}\n",
            if sizes.is_empty() { String::new() } else { format!(":{sizes}, or another size") }
        )
    });
    format!("there is no row {name:?}; the rows are\n{}", rows.collect::<String>())
}
