//! Encodings and segments of texts as three packages of others count them. A table in docs/ has every difference.

use std::{collections::BTreeMap, fs, path::Path};

use aldis::sms::{
    Encoding,
    gsm7::{self, Septets},
    segments, split,
};
use serde::Deserialize;

use crate::support::peers;

/// The page with the table of differences.
const PAGE: &str = "docs/segments.md";
const RANDOM_TEXTS: usize = 4_000;
/// What a phone takes for the first half of an extension character.
const ESCAPE: char = '\u{1B}';

/// A character as a package writes it: code point, septets, and what it reads back from them.
type Written = (u32, Vec<u8>, Option<String>);

/// What a package says.
#[derive(Deserialize)]
struct Said {
    alphabet: Vec<Written>,
    verdicts: Vec<Verdict>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Verdict {
    encoding: Encoding,
    units: u32,
    /// None of a package that only encodes.
    parts: Option<Vec<String>>,
    /// What the package never cuts, if that is more than a character.
    clusters: Option<Vec<String>>,
}

impl Verdict {
    fn ours(text: &str) -> Self {
        let counted = segments(text);
        let parts: Vec<String> = split(text).into_iter().map(str::to_owned).collect();
        assert_eq!(parts.len(), counted.count as usize, "{text:?}");
        Self { encoding: counted.encoding, units: counted.units, parts: Some(parts), clusters: None }
    }

    fn agrees_with(&self, theirs: &Self) -> bool {
        (self.encoding, self.units) == (theirs.encoding, theirs.units)
            && (theirs.parts.is_none() || self.parts == theirs.parts)
    }
}

/// Why a package says something else; each is a row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    EmptyText,
    Escape,
    WholeClusters,
    OverlongCluster,
}

/// All differences that there are.
const ROWS: [(&str, Difference, &str); 5] = [
    ("gsm0338", Difference::Escape, "U+001B"),
    ("smsutil", Difference::Escape, "U+001B"),
    ("smsutil", Difference::EmptyText, "the empty text"),
    ("sms-segments-calculator", Difference::WholeClusters, "a part would end within a cluster"),
    (
        "sms-segments-calculator",
        Difference::OverlongCluster,
        "a cluster, or two together, nearly fill a part, or are longer",
    ),
];

impl Difference {
    /// The one that explains exactly what a package says.
    fn of(package: &str, text: &str, theirs: &Verdict) -> Option<Self> {
        let ours = Verdict::ours(text);
        match package {
            "smsutil" if text.is_empty() => {
                let expected = Verdict { encoding: Encoding::Ucs2, ..ours };
                (*theirs == expected).then_some(Self::EmptyText)
            }
            "smsutil" | "gsm0338" if text.contains(ESCAPE) => {
                // They count it as any letter.
                let with_letters = |text: &str| text.replace(ESCAPE, "A");
                let mut read = theirs.clone();
                read.parts = theirs.parts.as_ref().map(|parts| parts.iter().map(|part| with_letters(part)).collect());
                let parts_are_the_text = theirs.parts.as_ref().is_none_or(|parts| parts.concat() == text);
                (parts_are_the_text && Verdict::ours(&with_letters(text)).agrees_with(&read)).then_some(Self::Escape)
            }
            "sms-segments-calculator" => Self::of_clusters(text, &ours, theirs),
            _ => None,
        }
    }

    fn of_clusters(text: &str, ours: &Verdict, theirs: &Verdict) -> Option<Self> {
        let (clusters, parts) = (theirs.clusters.as_ref()?, theirs.parts.as_ref()?);
        let ends = |pieces: &[String]| -> Vec<usize> {
            let mut end = 0;
            pieces
                .iter()
                .map(|piece| {
                    end += piece.len();
                    end
                })
                .collect()
        };
        let cluster_ends = ends(clusters);
        let whole = |cuts: &[String]| ends(cuts).iter().all(|end| *end == 0 || cluster_ends.contains(end));
        let same = theirs.encoding == Encoding::Ucs2
            && (ours.encoding, ours.units) == (Encoding::Ucs2, theirs.units)
            && clusters.concat() == text
            && parts.concat() == text
            && whole(parts);
        if !same || whole(ours.parts.as_ref()?) {
            return None;
        }
        let room = Encoding::Ucs2.part() as usize;
        let units = |piece: &String| piece.encode_utf16().count();
        if parts.iter().any(|part| units(part) > room) {
            // Its first part may hold 3 units more until the second begins, and these move over unmeasured, before what the second began with.
            let is_long = clusters.iter().any(|cluster| units(cluster) > room - 3)
                || clusters.windows(2).any(|pair| units(&pair[0]) + units(&pair[1]) > room);
            return is_long.then_some(Self::OverlongCluster);
        }
        // As full as it can be without cutting a cluster.
        let full = parts.windows(2).zip(ends(parts)).all(|(pair, end)| {
            let next = cluster_ends.iter().position(|last| *last > end);
            next.is_some_and(|next| units(&pair[0]) + units(&clusters[next]) > room)
        });
        full.then_some(Self::WholeClusters)
    }
}

/// What the packages say of these texts, by name.
fn said(texts: &[String]) -> BTreeMap<String, Said> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    let texts = serde_json::to_string(texts).unwrap();
    let (mut python, mut node) = (peers::python(), peers::node());
    python.arg(folder.join("segments.py"));
    node.arg(folder.join("segments.cjs"));
    let mut said: BTreeMap<String, Said> = serde_json::from_str(&peers::output(python, &texts)).unwrap();
    said.extend(serde_json::from_str::<BTreeMap<String, Said>>(&peers::output(node, &texts)).unwrap());
    assert_eq!(said.keys().collect::<Vec<_>>(), ["gsm0338", "sms-segments-calculator", "smsutil"]);
    said
}

/// A character of each kind by its length, and what is around every boundary of the encodings.
fn boundaries() -> Vec<String> {
    let mut texts = vec![String::new()];
    let lengths = |around: &[usize]| -> Vec<usize> { around.iter().flat_map(|at| at - 4..=at + 4).collect() };
    for length in lengths(&[160, 153, 306, 459]) {
        for last in ["a", "€", "\u{0C}", "^", "\n", "\r\n", "{}", "\u{1B}", "\u{1B}e"] {
            let before = "a".repeat(length - 1);
            texts.push(format!("{before}{last}"));
            texts.push(format!("{before}{last}{before}"));
        }
        texts.push("€".repeat(length / 2));
        texts.push("\r\n".repeat(length / 2));
        texts.push(format!("a{}", "€".repeat(length / 2)));
    }
    for length in lengths(&[70, 67, 134, 201]) {
        for last in ["ж", "a", "€", "😀", "👍🏽", "👨‍👩‍👧‍👦", "🇺🇾", "e\u{301}", "\u{200D}", "\u{FE0F}", "\r\n", "\u{1B}"]
        {
            let before = "ж".repeat(length - 1);
            texts.push(format!("{before}{last}"));
            texts.push(format!("{before}{last}{before}"));
        }
        texts.push("😀".repeat(length / 2));
        texts.push(format!("ж{}", "😀".repeat(length / 2)));
        texts.push(format!("{}ç", "a".repeat(length - 1)));
        texts.push(format!("e{}", "\u{301}".repeat(length - 1)));
        texts.push(format!("жe{}", "\u{301}".repeat(length - 2)));
    }
    // A cluster that moves to the second part, before another one that the second part began with.
    texts.push(format!("{}e{}👨‍👩‍👧‍👦", "ж".repeat(11), "\u{301}".repeat(56)));
    texts
}

/// Every character of the alphabet by itself, and twice around a boundary.
fn characters() -> Vec<String> {
    let known = (0..=0x20AC).filter_map(char::from_u32).filter(|character| Septets::of(*character).is_some());
    known.flat_map(|one| [one.into(), format!("{}{one}{one}", "a".repeat(151)), format!("{one}ж")]).collect()
}

fn random_text(random: &mut fastrand::Rng) -> String {
    const PLAIN: [&str; 12] = ["a", "Z", " ", "0", "@", "Δ", "Ç", "ß", "\n", "\r", "\r\n", "é"];
    const EXTENDED: [&str; 6] = ["€", "[", "|", "\u{0C}", "~", "\\"];
    const WIDE: [&str; 14] =
        ["ж", "ç", "中", "😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇺🇾", "e\u{301}", "\u{200D}", "\u{FE0F}", "각", "ก็", "\u{1B}"];
    let (length, wide) = match random.u32(..8) {
        0 => (random.usize(..20), random.u32(..3)),
        1..5 => (random.usize(..500), 0),
        5 => (random.usize(140..175), 1),
        _ => (random.usize(..300), 300),
    };
    let mut text = String::new();
    while text.chars().count() < length {
        match random.u32(..1_000) {
            0 if wide > 0 => text.push(random.char('\0'..)),
            // A heap of accents: one cluster.
            1 if wide > 0 => text += &"\u{301}".repeat(random.usize(..90)),
            roll if roll < wide => text += WIDE[random.usize(..WIDE.len())],
            roll if roll % 10 == 0 => text += EXTENDED[random.usize(..EXTENDED.len())],
            _ => text += PLAIN[random.usize(..PLAIN.len())],
        }
    }
    text
}

/// The same characters with the same septets, but for the escape.
fn check_alphabets(said: &BTreeMap<String, Said>) {
    let ours: Vec<(u32, Vec<u8>)> = (0..=u32::from(char::MAX))
        .filter_map(char::from_u32)
        .filter_map(|character| {
            let septets = match Septets::of(character)? {
                Septets::Basic(septet) => vec![septet],
                Septets::Extended(septet) => vec![gsm7::ESCAPE, septet],
            };
            Some((character.into(), septets))
        })
        .collect();
    for (package, Said { alphabet, .. }) in said {
        let mut alphabet = alphabet.clone();
        alphabet.sort_unstable();
        let escape = (u32::from(ESCAPE), vec![gsm7::ESCAPE]);
        let (escapes, theirs): (Vec<_>, Vec<_>) =
            alphabet.iter().map(|(code, septets, _)| (*code, septets.clone())).partition(|one| *one == escape);
        assert_eq!(theirs, ours, "{package}");
        assert_eq!(escapes.len(), usize::from(package != "sms-segments-calculator"), "{package}");
        for (code, septets, read) in &alphabet {
            // What is written for the escape does not come back as the escape.
            let expected = char::from_u32(*code).filter(|character| *character != ESCAPE).map(String::from);
            let read = read.clone().filter(|_| *code != u32::from(ESCAPE));
            let reads = package != "sms-segments-calculator";
            assert_eq!(read, expected.filter(|_| reads), "{package}: {septets:02X?}");
        }
    }
}

#[test]
fn three_packages_count_as_we_do_but_for_what_the_table_lists() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut texts = [boundaries(), characters()].concat();
    texts.extend((0..RANDOM_TEXTS).map(|_| random_text(&mut random)));
    let said = said(&texts);
    check_alphabets(&said);
    let (mut seen, mut wrong) = (Vec::new(), Vec::new());
    for (package, Said { verdicts, .. }) in &said {
        assert_eq!(verdicts.len(), texts.len());
        for (text, theirs) in texts.iter().zip(verdicts) {
            let ours = Verdict::ours(text);
            if ours.agrees_with(theirs) {
                continue;
            }
            match Difference::of(package, text, theirs) {
                Some(difference) => seen.push((package.as_str(), difference)),
                None => wrong.push(format!("{text:?}\n  ours: {ours:?}\n  {package}: {theirs:?}")),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "seed {seed}: {} differences that {PAGE} does not list:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
    let mut listed: Vec<_> = ROWS.iter().map(|(package, difference, _)| (*package, *difference)).collect();
    println!("{} texts, {} differences", texts.len(), seen.len());
    listed.sort_unstable();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, listed, "seed {seed}: {PAGE} lists differences that are gone");
}

#[test]
fn the_page_has_a_row_for_each_difference_and_no_other() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap();
    let packages = ["gsm0338", "smsutil", "sms-segments-calculator"];
    let is_row = |line: &&str| packages.iter().any(|package| line.starts_with(&format!("| `{package}` | ")));
    let rows: Vec<String> =
        page.lines().filter(is_row).map(|row| row.splitn(4, '|').take(3).collect::<Vec<_>>().join("|")).collect();
    let expected: Vec<String> = ROWS.iter().map(|(package, _, what)| format!("| `{package}` | {what} ")).collect();
    let sorted = |mut rows: Vec<String>| {
        rows.sort_unstable();
        rows
    };
    assert_eq!(sorted(rows), sorted(expected));
}
