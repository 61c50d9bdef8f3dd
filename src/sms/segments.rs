//! How many short messages a text takes (3GPP TS 23.040, 9.2.3.24.1: concatenation with an 8-bit reference).

use super::gsm7::Septets;
use serde::{Deserialize, Serialize};

/// Most segments of a message. Twilio takes 1,600 characters, which this stays within.
pub const MAX_SEGMENTS: u32 = 10;

/// How a text is written on the air. It is chosen for the whole text, never part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema, schemars::JsonSchema)]
pub enum Encoding {
    /// The GSM 7-bit default alphabet with its extension table; its unit is the septet.
    Gsm7,
    /// UTF-16, for any text with a character that GSM 7-bit does not have; its unit is the 16-bit code unit.
    Ucs2,
}

impl Encoding {
    /// The encoding that a text needs.
    pub fn of(text: &str) -> Self {
        if text.chars().all(|c| Septets::of(c).is_some()) { Self::Gsm7 } else { Self::Ucs2 }
    }

    /// Units of a message that stands alone.
    pub const fn single(self) -> u32 {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// Units of each part of a long message, beside the concatenation header of 6 octets.
    pub const fn part(self) -> u32 {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }

    /// Units that a character takes; they stay together in one part.
    fn units(self, character: char) -> u32 {
        match self {
            Self::Gsm7 => Septets::of(character).map_or(1, Septets::count),
            Self::Ucs2 => {
                if character > '\u{FFFF}' {
                    2
                } else {
                    1
                }
            }
        }
    }
}

/// What a text costs to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Segments {
    /// The character set that the text needs.
    pub encoding: Encoding,
    /// Its length in units of the encoding: septets, or 16-bit code units.
    pub units: u32,
    /// How many messages it takes: at least 1, since an empty text is a message too.
    pub count: u32,
}

/// Counts the segments of a text.
///
/// ```
/// use aldis::sms::{Encoding, segments};
/// let one = segments("Your parcel is at the desk.");
/// assert_eq!((one.encoding, one.units, one.count), (Encoding::Gsm7, 27, 1));
/// assert_eq!(segments(&"a".repeat(161)).count, 2);
/// assert_eq!(segments("Ça va 👍").encoding, Encoding::Ucs2);
/// ```
pub fn segments(text: &str) -> Segments {
    let mut count = 0;
    let (encoding, units) = each_part(text, |_| count += 1);
    Segments { encoding, units, count }
}

/// The parts that a text is sent in: as many as [`segments`] counts, and together the text.
pub fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    each_part(text, |part| parts.push(part));
    parts
}

/// Fills parts greedily, moving a character that needs two units and finds one into the next part.
fn each_part<'a>(text: &'a str, mut part: impl FnMut(&'a str)) -> (Encoding, u32) {
    let encoding = Encoding::of(text);
    let units: u32 = text.chars().map(|c| encoding.units(c)).fold(0, u32::saturating_add);
    if units <= encoding.single() {
        part(text);
        return (encoding, units);
    }
    let (mut start, mut filled) = (0, 0);
    for (at, character) in text.char_indices() {
        let needed = encoding.units(character);
        if filled + needed > encoding.part() {
            part(&text[start..at]);
            (start, filled) = (at, 0);
        }
        filled += needed;
    }
    part(&text[start..]);
    (encoding, units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counted(text: &str) -> (Encoding, u32, u32) {
        let Segments { encoding, units, count } = segments(text);
        (encoding, units, count)
    }

    #[test]
    fn counts_at_every_boundary() {
        use Encoding::{Gsm7, Ucs2};
        let cases: [(String, Encoding, u32, u32); 19] = [
            (String::new(), Gsm7, 0, 1),
            ("a".repeat(160), Gsm7, 160, 1),
            ("a".repeat(161), Gsm7, 161, 2),
            ("a".repeat(306), Gsm7, 306, 2),
            ("a".repeat(307), Gsm7, 307, 3),
            ("€".repeat(80), Gsm7, 160, 1),
            ("€".repeat(81), Gsm7, 162, 2),
            // 76 pairs fill 152 of 153 septets: the 153rd stays empty in each part.
            ("€".repeat(152), Gsm7, 304, 2),
            ("€".repeat(153), Gsm7, 306, 3),
            // An escape pair that would begin at septet 153 moves on whole.
            (format!("{}€{}", "a".repeat(152), "b".repeat(151)), Gsm7, 305, 2),
            (format!("{}€{}", "a".repeat(152), "b".repeat(152)), Gsm7, 306, 3),
            ("ж".repeat(70), Ucs2, 70, 1),
            ("ж".repeat(71), Ucs2, 71, 2),
            ("ж".repeat(134), Ucs2, 134, 2),
            ("ж".repeat(135), Ucs2, 135, 3),
            ("😀".repeat(35), Ucs2, 70, 1),
            // 33 surrogate pairs fill 66 of 67 units.
            ("😀".repeat(66), Ucs2, 132, 2),
            ("😀".repeat(67), Ucs2, 134, 3),
            (format!("{}ç", "a".repeat(69)), Ucs2, 70, 1),
        ];
        for (text, encoding, units, count) in cases {
            assert_eq!(counted(&text), (encoding, units, count), "{text:?}");
        }
    }

    #[test]
    fn one_character_outside_gsm7_changes_the_whole_text() {
        assert_eq!(counted(&"a".repeat(160)), (Encoding::Gsm7, 160, 1));
        assert_eq!(counted(&format!("{}ç", "a".repeat(159))), (Encoding::Ucs2, 160, 3));
        // In UTF-16 the extension characters are single units again.
        assert_eq!(counted("€ç"), (Encoding::Ucs2, 2, 1));
    }

    /// Texts that are long enough to need parts and mix all widths.
    fn any_text() -> impl Strategy<Value = String> {
        let gsm =
            proptest::collection::vec(proptest::sample::select("aZ 0@ΔÇ€[]^\n".chars().collect::<Vec<_>>()), 0..700);
        let wide =
            proptest::collection::vec(proptest::sample::select("a€жç😀👍\u{200D}".chars().collect::<Vec<_>>()), 0..300);
        prop_oneof![gsm, wide, proptest::collection::vec(any::<char>(), 0..200)].prop_map(|c| c.into_iter().collect())
    }

    /// Units of a text, counted without this file: UTF-16 by the standard library, septets by the extension's list.
    fn independent_units(encoding: Encoding, text: &str) -> usize {
        match encoding {
            Encoding::Ucs2 => text.encode_utf16().count(),
            Encoding::Gsm7 => text.chars().count() + text.chars().filter(|c| "\u{0C}^{}\\[~]|€".contains(*c)).count(),
        }
    }

    proptest! {
        #[test]
        fn parts_are_the_text_and_none_is_too_long(text in any_text()) {
            let Segments { encoding, units, count } = segments(&text);
            let parts = split(&text);
            prop_assert_eq!(parts.concat(), text.clone());
            prop_assert_eq!(parts.len(), count as usize);
            prop_assert_eq!(units as usize, independent_units(encoding, &text));
            let room = if count == 1 { encoding.single() } else { encoding.part() } as usize;
            for part in &parts {
                // A part is a `str`, so no surrogate pair is split; its units are counted whole, so no escape pair is.
                prop_assert!(independent_units(encoding, part) <= room);
            }
        }

        #[test]
        fn no_part_could_take_the_next_character_too(text in any_text()) {
            let encoding = Encoding::of(&text);
            let parts = split(&text);
            for pair in parts.windows(2) {
                let next = pair[1].chars().next().expect("only a text without parts is empty");
                let together = independent_units(encoding, pair[0]) + independent_units(encoding, &next.to_string());
                prop_assert!(together > encoding.part() as usize);
            }
        }

        #[test]
        fn more_text_never_costs_less(text in any_text(), more in any::<char>()) {
            let longer = format!("{text}{more}");
            prop_assert!(segments(&longer).count >= segments(&text).count);
        }
    }
}
