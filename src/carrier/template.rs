//! Values with `{{placeholders}}` in them.

use super::Fault;

/// Key of a Secret, behind this.
const SECRET: &str = "secret.";

/// A value with placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Placeholder(Placeholder),
}

/// What a placeholder stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Placeholder {
    From,
    FromDigits,
    To,
    ToDigits,
    Text,
    Id,
    Callback,
    Coding,
    Secret(String),
}

/// What may stand in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A path: nothing that could lead elsewhere.
    Path,
    /// A header: no text, which may have line breaks.
    Header,
    /// A parameter, a field or a string of JSON.
    Field,
    /// A call that is about no message.
    Check,
    /// Nothing.
    Fixed,
}

/// What placeholders stand for in one call.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    /// Our number.
    pub from: &'a str,
    /// Our number without its plus sign.
    pub from_digits: &'a str,
    /// The customer's number.
    pub to: &'a str,
    /// The customer's number without its plus sign.
    pub to_digits: &'a str,
    /// The text.
    pub text: &'a str,
    /// Our id of the attempt.
    pub id: &'a str,
    /// The address for receipts.
    pub callback: &'a str,
    /// How the text is coded, as Kannel counts.
    pub coding: &'a str,
    /// Values of the Secret.
    pub secret: &'a (dyn Fn(&str) -> &'a str + Sync),
}

impl std::fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Values").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Place {
    fn takes(self, placeholder: &Placeholder) -> bool {
        match placeholder {
            Placeholder::From | Placeholder::FromDigits | Placeholder::To | Placeholder::ToDigits | Placeholder::Id => {
                matches!(self, Self::Path | Self::Header | Self::Field)
            }
            Placeholder::Callback | Placeholder::Coding => matches!(self, Self::Header | Self::Field),
            Placeholder::Text => self == Self::Field,
            Placeholder::Secret(_) => matches!(self, Self::Header | Self::Field | Self::Check),
        }
    }
}

impl Placeholder {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "from" => Self::From,
            "fromDigits" => Self::FromDigits,
            "to" => Self::To,
            "toDigits" => Self::ToDigits,
            "text" => Self::Text,
            "id" => Self::Id,
            "callback" => Self::Callback,
            "coding" => Self::Coding,
            other => {
                let key = other.strip_prefix(SECRET)?;
                let is_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
                if key.is_empty() || !key.bytes().all(is_key) {
                    return None;
                }
                Self::Secret(key.to_owned())
            }
        })
    }

    fn value<'a>(&self, values: &Values<'a>) -> &'a str {
        match self {
            Self::From => values.from,
            Self::FromDigits => values.from_digits,
            Self::To => values.to,
            Self::ToDigits => values.to_digits,
            Self::Text => values.text,
            Self::Id => values.id,
            Self::Callback => values.callback,
            Self::Coding => values.coding,
            Self::Secret(key) => (values.secret)(key),
        }
    }
}

impl Template {
    /// Reads the value of `field`.
    pub(super) fn parse(field: &str, text: &str, place: Place) -> Result<Self, Fault> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, behind)) = after.split_once("}}") else {
                return Err(Fault::new(field, "{{ is not closed: write {{text}}, with }} at its end"));
            };
            let name = name.trim();
            let Some(placeholder) = Placeholder::parse(name) else {
                return Err(Fault::new(
                    field,
                    format!(
                        "{{{{{name}}}}} is unknown: there are from, fromDigits, to, toDigits, text, id, callback, coding and secret.KEY"
                    ),
                ));
            };
            if !place.takes(&placeholder) {
                return Err(Fault::new(field, format!("{{{{{name}}}}} cannot stand here: put it into another field")));
            }
            if !before.is_empty() {
                pieces.push(Piece::Literal(before.to_owned()));
            }
            pieces.push(Piece::Placeholder(placeholder));
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The text with its values.
    pub(super) fn fill(&self, values: &Values<'_>) -> String {
        self.fill_with(values, str::to_owned)
    }

    /// The text with its values, each of them made fit for where it stands.
    pub(super) fn fill_with(&self, values: &Values<'_>, fit: impl Fn(&str) -> String) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Placeholder(placeholder) => fit(placeholder.value(values)),
        };
        self.0.iter().map(piece).collect()
    }

    /// The placeholders in it.
    pub(super) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Placeholder(placeholder) => Some(placeholder),
        })
    }
}

/// Percent-encoded but for the unreserved characters of RFC 3986, as it can stand in a path, a query and a form.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
