//! Binary messages: the user data header (3GPP TS 23.040, 9.2.3.24) and what of the rest is a text.

use std::fmt::Write as _;

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::sms::Part;

/// Concatenation with a reference of 8 and of 16 bits.
const CONCATENATED_8: u8 = 0x00;
const CONCATENATED_16: u8 = 0x08;
/// Messages to an application (ports of 8 and of 16 bits): what is in them is not for people.
const PORTS_8: u8 = 0x04;
const PORTS_16: u8 = 0x05;

/// What a binary message holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binary {
    /// The text, if it is one.
    pub text: Option<String>,
    /// Which part of a text it is.
    pub part: Option<Part>,
}

/// Reads a body in base64 with its header in hexadecimal digits, as Sinch writes them.
pub(super) fn read(body: &str, header: &str) -> Binary {
    let elements = unhex(header).map(|header| elements(&header)).unwrap_or_default();
    let for_an_application = elements.iter().any(|(id, _)| matches!(*id, PORTS_8 | PORTS_16));
    let part = elements.iter().find_map(|(id, data)| match (*id, data.as_slice()) {
        (CONCATENATED_8, [reference, total, sequence]) => Part::new(u16::from(*reference), *total, *sequence),
        (CONCATENATED_16, [high, low, total, sequence]) => {
            Part::new(u16::from_be_bytes([*high, *low]), *total, *sequence)
        }
        (_, _) => None,
    });
    let body = BASE64_STANDARD.decode(body.trim()).ok();
    let text = body.filter(|_| !for_an_application).and_then(|body| text(&body));
    // Of a part that cannot be read nobody can make a part of a text.
    let part = part.filter(|_| text.is_some());
    Binary { text, part }
}

/// The text, if every character of it is one that people write. Nobody says how it is written: in UTF-8, of which ASCII is a part, or in
/// UTF-16 as short messages have it, there only in alphabets from Latin to Arabic, since almost any bytes are Chinese characters.
fn text(body: &[u8]) -> Option<String> {
    let is_written = |character: char| !character.is_control() || matches!(character, '\n' | '\r' | '\t');
    let readable = |text: &String| !text.is_empty() && text.chars().all(is_written);
    let utf8 = String::from_utf8(body.to_vec()).ok().filter(readable);
    utf8.or_else(|| {
        let units: Vec<_> = body.chunks(2).filter_map(|unit| Some(u16::from_be_bytes(unit.try_into().ok()?))).collect();
        let text = String::from_utf16(&units).ok().filter(|_| body.len().is_multiple_of(2))?;
        Some(text).filter(readable).filter(|text| text.chars().all(|character| character < '\u{700}'))
    })
}

/// The elements of a header: their kind and what they hold. What breaks off is left out.
fn elements(header: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut rest = header.split_first().map_or(&[][..], |(length, rest)| &rest[..rest.len().min((*length).into())]);
    let mut elements = Vec::new();
    while let [id, length, after @ ..] = rest {
        let Some((data, others)) = after.split_at_checked((*length).into()) else { break };
        elements.push((*id, data.to_vec()));
        rest = others;
    }
    elements
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// What is written where a message cannot be read as a text: that there was one, and what it was.
pub(super) fn named(body: &str) -> String {
    let mut name = "[binary message".to_owned();
    if let Ok(bytes) = BASE64_STANDARD.decode(body.trim()) {
        let _ = write!(name, " of {} bytes", bytes.len());
    }
    name + "]"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &[u8], header: &str) -> Binary {
        read(&BASE64_STANDARD.encode(body), header)
    }

    #[test]
    fn texts_are_read() {
        let utf16: Vec<_> = "Привет".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (body, text) in [
            (b"Hello\n".to_vec(), Some("Hello\n")),
            ("Grüße 世界".as_bytes().to_vec(), Some("Grüße 世界")),
            (utf16, Some("Привет")),
            (vec![0, b'H', 0, b'i'], Some("Hi")),
            (vec![0x4e, 0x16, 0x75, 0x4c], None),
            (vec![0xff, 0xfe, 0x01], None),
            (vec![0, 0, 0, 0], None),
            (Vec::new(), None),
        ] {
            assert_eq!(of(&body, "").text.as_deref(), text, "{body:?}");
        }
        assert_eq!(read("no base64!", "").text, None);
        assert_eq!(named("AAEC"), "[binary message of 3 bytes]");
        assert_eq!(named("no base64!"), "[binary message]");
    }

    #[test]
    fn parts_are_those_of_the_header() {
        for (header, part) in [
            ("050003070201", Part::new(7, 2, 1)),
            ("06080401020302", Part::new(0x102, 3, 2)),
            ("082401010003070202", Part::new(7, 2, 2)),
            ("05000307", None),
            ("050003070203", None),
            ("", None),
            ("zz", None),
            ("0", None),
        ] {
            assert_eq!(of(b"Hello", header).part, part, "{header}");
        }
        assert_eq!(of(&[0xff], "050003070201"), Binary { text: None, part: None });
        let for_an_application = of(b"Hello", "06050415810000");
        assert_eq!(for_an_application, Binary { text: None, part: None });
    }
}
