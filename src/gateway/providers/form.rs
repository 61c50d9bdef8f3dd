//! `application/x-www-form-urlencoded`, read the way Twilio's own validators see it: blank values are kept, repeated names are kept, and
//! nothing is trimmed.

/// Names and values in the order of the body; none when there are more than `most`.
///
/// Bytes that are not UTF-8 become U+FFFD; a `%` that begins no escape stays as it is.
pub(super) fn parse(body: &[u8], most: usize) -> Option<Vec<(String, String)>> {
    let parsed: Vec<_> = pairs(body).take(most).map(|(name, value)| (decode(name), decode(value))).collect();
    (pairs(body).nth(most).is_none()).then_some(parsed)
}

/// The first value of a parameter that is not empty.
pub(super) fn find(body: &[u8], wanted: &str) -> Option<String> {
    let values = pairs(body).filter(|(name, value)| !value.is_empty() && decode(name) == wanted);
    values.map(|(_, value)| decode(value)).next()
}

/// Names and values as they stand.
fn pairs(body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        }
    })
}

fn decode(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, escaped(after)) {
            (b'+', _) => bytes.push(b' '),
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The byte that two hex digits at the beginning of `text` stand for.
fn escaped(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    u8::try_from(digit(0)? << 4 | digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_as_they_stand() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            ("a=1&b=2", &[("a", "1"), ("b", "2")]),
            ("a=&b&=c", &[("a", ""), ("b", ""), ("", "c")]),
            ("a=1&a=1&a=0", &[("a", "1"), ("a", "1"), ("a", "0")]),
            ("&&a=1&", &[("a", "1")]),
            ("Body=+one+%2B+two%20", &[("Body", " one + two ")]),
            ("a=b=c;d", &[("a", "b=c;d")]),
            ("a=%zz%4&b=%e2%82%AC", &[("a", "%zz%4"), ("b", "€")]),
            ("a=%ff", &[("a", "\u{fffd}")]),
        ];
        for (body, expected) in cases {
            let parsed = parse(body.as_bytes(), 4).unwrap();
            let pairs: Vec<_> = parsed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(pairs, *expected, "{body}");
        }
    }

    #[test]
    fn more_parameters_than_allowed_are_not_read() {
        assert!(parse(b"a&b&&c&d&", 4).is_some());
        assert!(parse(b"a&b&&c&d&e", 4).is_none());
    }

    #[test]
    fn one_parameter_is_found() {
        assert_eq!(find(b"t=&x=1&t=7.ab%2Fc&t=8", "t").as_deref(), Some("7.ab/c"));
        assert_eq!(find(b"t=&x=1", "t"), None);
    }
}
