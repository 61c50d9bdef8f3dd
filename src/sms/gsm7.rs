//! The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038, 6.2.1 and 6.2.1.1).
//!
//! National language tables are left out: few handsets and fewer providers support them when sending.

/// The septet that announces a character of the extension table.
pub const ESCAPE: u8 = 0x1B;

/// The default alphabet by septet. Position [`ESCAPE`] holds no character of its own; a NUL stands in for it.
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\0', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à', //
];

/// The extension table: the septet after [`ESCAPE`], and the character.
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// How one character is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Septets {
    /// One septet of the default alphabet.
    Basic(u8),
    /// [`ESCAPE`] and this septet. The two are never split between the parts of a long message.
    Extended(u8),
}

impl Septets {
    /// How a character is written, or `None` when the alphabet does not have it.
    ///
    /// ```
    /// use aldis::sms::gsm7::Septets;
    /// assert_eq!(Septets::of('A'), Some(Septets::Basic(0x41)));
    /// assert_eq!(Septets::of('€'), Some(Septets::Extended(0x65)));
    /// assert_eq!(Septets::of('ç'), None);
    /// ```
    pub fn of(character: char) -> Option<Self> {
        if character == '\0' || character > '€' {
            return None;
        }
        if let Some(septet) = BASIC.iter().position(|c| *c == character).and_then(|at| u8::try_from(at).ok()) {
            return Some(Self::Basic(septet));
        }
        EXTENSION.iter().find(|(_, c)| *c == character).map(|(septet, _)| Self::Extended(*septet))
    }

    /// The character, or `None` when the tables leave the septet undefined.
    pub fn character(self) -> Option<char> {
        match self {
            Self::Basic(ESCAPE) => None,
            Self::Basic(septet) => BASIC.get(usize::from(septet)).copied(),
            Self::Extended(septet) => EXTENSION.iter().find(|(code, _)| *code == septet).map(|(_, c)| *c),
        }
    }

    /// How many septets it takes: 1 or 2.
    pub const fn count(self) -> u32 {
        match self {
            Self::Basic(_) => 1,
            Self::Extended(_) => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unicode code points of the default alphabet as 3GPP TS 23.038 prints it, row by row (septet / 16), written in
    /// hexadecimal so that it shares nothing with the table under test.
    const TS_23_038: [[u32; 16]; 8] = [
        [0x40, 0xA3, 0x24, 0xA5, 0xE8, 0xE9, 0xF9, 0xEC, 0xF2, 0xC7, 0x0A, 0xD8, 0xF8, 0x0D, 0xC5, 0xE5],
        [0x394, 0x5F, 0x3A6, 0x393, 0x39B, 0x3A9, 0x3A0, 0x3A8, 0x3A3, 0x398, 0x39E, 0x1B, 0xC6, 0xE6, 0xDF, 0xC9],
        [0x20, 0x21, 0x22, 0x23, 0xA4, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x2C, 0x2D, 0x2E, 0x2F],
        [0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F],
        [0xA1, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F],
        [0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0xC4, 0xD6, 0xD1, 0xDC, 0xA7],
        [0xBF, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F],
        [0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0xE4, 0xF6, 0xF1, 0xFC, 0xE0],
    ];

    /// The extension table of TS 23.038, 6.2.1.1: septet, code point.
    const EXTENSION_6_2_1_1: [(u8, u32); 10] = [
        (0x0A, 0x0C),
        (0x14, 0x5E),
        (0x28, 0x7B),
        (0x29, 0x7D),
        (0x2F, 0x5C),
        (0x3C, 0x5B),
        (0x3D, 0x7E),
        (0x3E, 0x5D),
        (0x40, 0x7C),
        (0x65, 0x20AC),
    ];

    fn of(code_point: u32) -> Option<Septets> {
        Septets::of(char::from_u32(code_point).unwrap())
    }

    #[test]
    fn every_septet_of_the_standard_is_written_and_read_as_printed_there() {
        for (row, codes) in (0u8..).zip(TS_23_038) {
            for (column, code_point) in (0u8..).zip(codes) {
                let septet = row * 16 + column;
                if septet == ESCAPE {
                    assert_eq!(of(0x1B), None, "escape is not a character");
                    assert_eq!(Septets::Basic(septet).character(), None);
                    continue;
                }
                assert_eq!(of(code_point), Some(Septets::Basic(septet)), "U+{code_point:04X}");
                assert_eq!(Septets::Basic(septet).character().map(u32::from), Some(code_point));
            }
        }
        for (septet, code_point) in EXTENSION_6_2_1_1 {
            assert_eq!(of(code_point), Some(Septets::Extended(septet)), "U+{code_point:04X}");
            assert_eq!(Septets::Extended(septet).character().map(u32::from), Some(code_point));
        }
    }

    #[test]
    fn nothing_else_is_in_the_alphabet() {
        let known = (0..=u32::from(char::MAX)).filter_map(char::from_u32).filter(|c| Septets::of(*c).is_some()).count();
        assert_eq!(known, 127 + 10);
        assert_eq!(Septets::Basic(0x80).character(), None);
        assert_eq!(Septets::Extended(0x00).character(), None);
    }

    #[test]
    fn characters_that_look_alike_are_told_apart() {
        for outside in ['ç', 'Α', 'Ο', '`', '\t', '\0', '\u{A0}', '’', '“', '–', '…', 'á', 'í', 'ó', 'ú', 'ê', '😀']
        {
            assert_eq!(Septets::of(outside), None, "{outside:?}");
        }
    }
}
