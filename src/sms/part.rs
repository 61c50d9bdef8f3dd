//! A part of a text that was too long for one short message (3GPP TS 23.040, 9.2.3.24.1).

use serde::{Deserialize, Serialize};

/// Which part of which text of a sender a short message is. There are at least two, and this is one of them.
///
/// ```
/// use aldis::sms::Part;
/// assert!(Part::new(7, 2, 1).is_some());
/// assert_eq!((Part::new(7, 1, 1), Part::new(7, 2, 0), Part::new(7, 2, 3)), (None, None, None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Claimed", into = "Claimed")]
pub struct Part {
    reference: u16,
    total: u8,
    sequence: u8,
}

impl Part {
    /// A part, if there can be such a one.
    pub fn new(reference: u16, total: u8, sequence: u8) -> Option<Self> {
        (total >= 2 && (1..=total).contains(&sequence)).then_some(Self { reference, total, sequence })
    }

    /// What the sender's device called the text. It counts in a circle, so a later text has the same one.
    pub const fn reference(self) -> u16 {
        self.reference
    }

    /// How many parts the text has: 2 to 255.
    pub const fn total(self) -> u8 {
        self.total
    }

    /// Which of them it is, from 1.
    pub const fn sequence(self) -> u8 {
        self.sequence
    }
}

/// A part as a document has it, before anybody looked whether there can be such a one.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claimed {
    reference: u16,
    total: u8,
    sequence: u8,
}

impl TryFrom<Claimed> for Part {
    type Error = String;

    fn try_from(claimed: Claimed) -> Result<Self, Self::Error> {
        let Claimed { reference, total, sequence } = claimed;
        Self::new(reference, total, sequence).ok_or_else(|| format!("there is no part {sequence} of {total}"))
    }
}

impl From<Part> for Claimed {
    fn from(part: Part) -> Self {
        Self { reference: part.reference, total: part.total, sequence: part.sequence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_document_makes_a_part_that_cannot_be() {
        let read = |reference: u32, total: u32, sequence: u32| {
            let json = serde_json::json!({ "reference": reference, "total": total, "sequence": sequence });
            serde_json::from_value::<Part>(json).ok()
        };
        for (reference, total, sequence) in [(0, 2, 1), (7, 2, 2), (65_535, 255, 255)] {
            let part = read(reference, total, sequence).unwrap();
            assert_eq!(u32::from(part.reference()), reference);
            assert_eq!((u32::from(part.total()), u32::from(part.sequence())), (total, sequence));
            assert_eq!(serde_json::from_value::<Part>(serde_json::to_value(part).unwrap()).unwrap(), part);
        }
        for (reference, total, sequence) in [(7, 0, 0), (7, 1, 1), (7, 2, 0), (7, 2, 3), (7, 256, 1), (65_536, 2, 1)] {
            assert_eq!(read(reference, total, sequence), None, "{sequence} of {total} under {reference}");
        }
    }
}
