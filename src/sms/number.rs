//! Numbers that take part in a conversation.
//!
//! A number is judged by form alone: `+` and 7 to 15 digits (ITU-T E.164), or a short code with its country, since the
//! same short code belongs to others elsewhere. Whether it exists is for the provider to say; number plans change faster
//! than a library that holds them.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Fewest digits of an international number. No country assigns shorter ones with its code.
const MIN_DIGITS: usize = 7;
/// Most digits of an international number (E.164, 6.1).
const MAX_DIGITS: usize = 15;
/// Fewest digits of a short code.
const MIN_SHORT: usize = 3;
/// Most digits of a short code.
const MAX_SHORT: usize = 8;
/// Australia's longer short codes have as many digits as short international numbers; they begin with 19 (Numbering Plan 2015).
const AUSTRALIAN_SHORT: usize = 8;

/// A number that can be sent to: international as `+15551230001`, or a short code as `US:72345`.
///
/// It is written and stored in that one canonical form, so two are equal exactly when their texts are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "+15551230001")]
pub struct PhoneNumber(String);

/// Why a text is not a phone number. Each message says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Nothing was given.
    #[error("a phone number is empty; write it as +15551230001, or a short code as US:72345")]
    Empty,
    /// Digits without a `+`: which country they belong to would be a guess.
    #[error("{0:?} has no country code; write it as +{{country code}}{{number}}, or a short code as US:72345")]
    NoCountryCode(String),
    /// A character that is no digit.
    #[error("{number:?} has {character:?} where only digits may stand")]
    NotADigit {
        /// The text.
        number: String,
        /// Its first character that is no digit.
        character: char,
    },
    /// A country code of E.164 never begins with 0.
    #[error("{0:?} begins with 0 after the +; no country code does")]
    LeadingZero(String),
    /// Too few or too many digits after the `+`.
    #[error("{number:?} has {digits} digits; an international number has 7 to 15")]
    Length {
        /// The text.
        number: String,
        /// How many digits it has.
        digits: usize,
    },
    /// Too few or too many digits of a short code.
    #[error("{number:?} has {digits} digits; a short code has 3 to 8")]
    ShortCodeLength {
        /// The text.
        number: String,
        /// How many digits the code has.
        digits: usize,
    },
    /// What stands before the `:` is no country.
    #[error("{number:?}: {source}")]
    Country {
        /// The text.
        number: String,
        /// What is wrong with the country.
        source: CountryError,
    },
}

impl PhoneNumber {
    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The country of a short code; `None` for an international number.
    pub fn short_code_country(&self) -> Option<Country> {
        self.0.split_once(':').and_then(|(country, _)| country.parse().ok())
    }

    /// The digits alone, as many providers want them: `15551230001`, `72345`.
    pub fn digits(&self) -> &str {
        self.0.split_once(':').map_or_else(|| self.0.trim_start_matches('+'), |(_, code)| code)
    }

    /// Reads a number as providers write them: with or without `+`, with `00` for it, with spaces and punctuation, and
    /// short codes without their country, which the account's own country supplies.
    ///
    /// # Errors
    /// When it is no number in any of these forms: a name, a hidden sender, or a short code with no country to put it in.
    ///
    /// ```
    /// use aldis::sms::PhoneNumber;
    /// let us = "US".parse().ok();
    /// for written in ["+1 (555) 123-0001", "15551230001", "0015551230001"] {
    ///     assert_eq!(PhoneNumber::from_provider(written, us).unwrap().as_str(), "+15551230001");
    /// }
    /// assert_eq!(PhoneNumber::from_provider("72345", us).unwrap().as_str(), "US:72345");
    /// ```
    pub fn from_provider(raw: &str, short_codes_of: Option<Country>) -> Result<Self, NumberError> {
        let compact: String = raw.chars().filter(|c| !is_punctuation(*c)).collect();
        if compact.starts_with('+') || compact.contains(':') {
            return compact.parse();
        }
        if let Some(character) = compact.chars().find(|c| !c.is_ascii_digit()) {
            return Err(NumberError::NotADigit { number: raw.into(), character });
        }
        let is_longer_code = compact.len() == AUSTRALIAN_SHORT && compact.starts_with("19");
        if let Some(country) = short_codes_of.filter(|country| *country == Country(*b"AU") && is_longer_code) {
            return format!("{country}:{compact}").parse();
        }
        match (compact.len(), short_codes_of) {
            (MIN_SHORT..MIN_DIGITS, Some(country)) => format!("{country}:{compact}").parse(),
            (0..MIN_DIGITS, _) => compact.parse(),
            (_, _) => format!("+{}", compact.strip_prefix("00").unwrap_or(&compact)).parse(),
        }
    }
}

/// What people and providers put between digits to make them readable.
fn is_punctuation(character: char) -> bool {
    character.is_whitespace() || matches!(character, '-' | '.' | '(' | ')' | '/' | '\u{200E}' | '\u{202A}' | '\u{202C}')
}

/// The first character of `digits` that is none.
fn not_a_digit(number: &str, digits: &str) -> Option<NumberError> {
    let character = digits.chars().find(|c| !c.is_ascii_digit())?;
    Some(NumberError::NotADigit { number: number.into(), character })
}

fn international(number: &str, digits: &str) -> Result<PhoneNumber, NumberError> {
    if let Some(error) = not_a_digit(number, digits) {
        return Err(error);
    }
    if digits.starts_with('0') {
        return Err(NumberError::LeadingZero(number.into()));
    }
    if !(MIN_DIGITS..=MAX_DIGITS).contains(&digits.len()) {
        return Err(NumberError::Length { number: number.into(), digits: digits.len() });
    }
    Ok(PhoneNumber(number.into()))
}

fn short_code(number: &str, country: &str, code: &str) -> Result<PhoneNumber, NumberError> {
    if let Err(source) = country.parse::<Country>() {
        return Err(NumberError::Country { number: number.into(), source });
    }
    if let Some(error) = not_a_digit(number, code) {
        return Err(error);
    }
    if !(MIN_SHORT..=MAX_SHORT).contains(&code.len()) {
        return Err(NumberError::ShortCodeLength { number: number.into(), digits: code.len() });
    }
    Ok(PhoneNumber(number.into()))
}

impl FromStr for PhoneNumber {
    type Err = NumberError;

    /// Reads the canonical form only.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(NumberError::Empty);
        }
        if let Some(digits) = text.strip_prefix('+') {
            return international(text, digits);
        }
        if let Some((country, code)) = text.split_once(':') {
            return short_code(text, country, code);
        }
        Err(not_a_digit(text, text).unwrap_or_else(|| NumberError::NoCountryCode(text.into())))
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = NumberError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> Self {
        number.0
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for PhoneNumber {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A country as ISO 3166-1 alpha-2 writes it: two capital letters. Which pairs are assigned is not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

/// Why a text is not a country.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a country; write its two capital letters, as US")]
pub struct CountryError(String);

impl FromStr for Country {
    type Err = CountryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            [a @ b'A'..=b'Z', b @ b'A'..=b'Z'] => Ok(Self([*a, *b])),
            _ => Err(CountryError(text.into())),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = self.0.map(char::from);
        write!(f, "{a}{b}")
    }
}

/// Who sent an inbound message.
///
/// On the wire it is one text: the canonical number, or whatever else the provider said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Sender {
    /// A number, which can be answered.
    Number(PhoneNumber),
    /// A name such as `MYBANK`, or anything that is no number. It can never be answered.
    Other(String),
}

impl Sender {
    /// Reads a sender as providers write them; see [`PhoneNumber::from_provider`]. Every text is a sender.
    pub fn from_provider(raw: &str, short_codes_of: Option<Country>) -> Self {
        PhoneNumber::from_provider(raw, short_codes_of).map_or_else(|_| Self::Other(raw.into()), Self::Number)
    }

    /// The number to answer to, if there is one.
    pub const fn number(&self) -> Option<&PhoneNumber> {
        match self {
            Self::Number(number) => Some(number),
            Self::Other(_) => None,
        }
    }

    /// The canonical number, or the provider's text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Number(number) => number.as_str(),
            Self::Other(raw) => raw,
        }
    }
}

impl utoipa::PartialSchema for Sender {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema()
    }
}

impl utoipa::ToSchema for Sender {}

impl From<String> for Sender {
    /// Reads what `String::from(sender)` wrote: a canonical number, or else a text.
    fn from(text: String) -> Self {
        text.parse().map_or(Self::Other(text), Self::Number)
    }
}

impl From<Sender> for String {
    fn from(sender: Sender) -> Self {
        match sender {
            Sender::Number(number) => number.into(),
            Sender::Other(raw) => raw,
        }
    }
}

impl From<PhoneNumber> for Sender {
    fn from(number: PhoneNumber) -> Self {
        Self::Number(number)
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn us() -> Option<Country> {
        Some("US".parse().unwrap())
    }

    #[test]
    fn canonical_numbers_are_read_and_written_unchanged() {
        for text in ["+15551230001", "+1234567", "+123456789012345", "US:72345", "GB:999", "AU:19123456"] {
            let number: PhoneNumber = text.parse().unwrap();
            assert_eq!(number.to_string(), text);
            assert_eq!(serde_json::to_string(&number).unwrap(), format!("{text:?}"));
            assert_eq!(serde_json::from_str::<PhoneNumber>(&format!("{text:?}")).unwrap(), number);
            assert_eq!(serde_json::from_value::<PhoneNumber>(text.into()).unwrap(), number);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("", "a phone number is empty; write it as +15551230001, or a short code as US:72345"),
            (
                "15551230001",
                "\"15551230001\" has no country code; write it as +{country code}{number}, or a short code as US:72345",
            ),
            ("+1555 1230001", "\"+1555 1230001\" has ' ' where only digits may stand"),
            ("+1555123000a", "\"+1555123000a\" has 'a' where only digits may stand"),
            ("+٣٣٣٣٣٣٣", "\"+٣٣٣٣٣٣٣\" has '٣' where only digits may stand"),
            ("MYBANK", "\"MYBANK\" has 'M' where only digits may stand"),
            ("+0155512300", "\"+0155512300\" begins with 0 after the +; no country code does"),
            ("+123456", "\"+123456\" has 6 digits; an international number has 7 to 15"),
            ("+", "\"+\" has 0 digits; an international number has 7 to 15"),
            ("+1234567890123456", "\"+1234567890123456\" has 16 digits; an international number has 7 to 15"),
            ("US:12", "\"US:12\" has 2 digits; a short code has 3 to 8"),
            ("US:123456789", "\"US:123456789\" has 9 digits; a short code has 3 to 8"),
            ("US:7x345", "\"US:7x345\" has 'x' where only digits may stand"),
            ("us:72345", "\"us:72345\": \"us\" is not a country; write its two capital letters, as US"),
            (":72345", "\":72345\": \"\" is not a country; write its two capital letters, as US"),
        ];
        for (text, message) in cases {
            assert_eq!(text.parse::<PhoneNumber>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn providers_forms_become_the_canonical_one() {
        let cases = [
            ("+15551230001", "+15551230001"),
            ("15551230001", "+15551230001"),
            ("0015551230001", "+15551230001"),
            (" +1 (555) 123-0001 ", "+15551230001"),
            ("+49.30/1234567", "+49301234567"),
            ("\u{202A}+15551230001\u{202C}", "+15551230001"),
            ("72345", "US:72345"),
            ("GB:62442", "GB:62442"),
        ];
        for (raw, canonical) in cases {
            assert_eq!(PhoneNumber::from_provider(raw, us()).unwrap().as_str(), canonical, "{raw:?}");
        }
    }

    #[test]
    fn a_short_code_needs_a_country() {
        let au = "AU".parse().ok();
        for (raw, canonical) in [("19123456", "AU:19123456"), ("191234", "AU:191234"), ("61412345678", "+61412345678")]
        {
            assert_eq!(PhoneNumber::from_provider(raw, au).unwrap().as_str(), canonical, "{raw:?}");
        }
        assert_eq!(PhoneNumber::from_provider("19123456", us()).unwrap().as_str(), "+19123456", "a code elsewhere");
        assert_eq!(PhoneNumber::from_provider("72345", None), Err(NumberError::NoCountryCode("72345".into())));
        assert_eq!(PhoneNumber::from_provider("12", us()), Err(NumberError::NoCountryCode("12".into())));
        let code = PhoneNumber::from_provider("72345", us()).unwrap();
        assert_eq!((code.short_code_country(), code.digits()), (us(), "72345"));
        let international: PhoneNumber = "+15551230001".parse().unwrap();
        assert_eq!((international.short_code_country(), international.digits()), (None, "15551230001"));
    }

    #[test]
    fn a_sender_that_is_no_number_is_kept_as_it_came() {
        for raw in ["MYBANK", "", "anonymous", "+1555MYBANK", "12", " bank "] {
            let sender = Sender::from_provider(raw, us());
            assert_eq!(sender, Sender::Other(raw.into()));
            assert_eq!(sender.number(), None);
        }
        let sender = Sender::from_provider("15559870001", us());
        assert_eq!(sender.number().map(PhoneNumber::as_str), Some("+15559870001"));
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_writing_is_its_inverse(raw in ".{0,20}") {
            if let Ok(number) = raw.parse::<PhoneNumber>() {
                prop_assert_eq!(number.to_string(), raw.clone());
            }
            let sender = Sender::from_provider(&raw, us());
            prop_assert_eq!(Sender::from(String::from(sender.clone())), sender);
        }

        #[test]
        fn digits_without_plus_mean_the_same_number(digits in "[1-9][0-9]{6,14}") {
            let with: PhoneNumber = format!("+{digits}").parse().unwrap();
            prop_assert_eq!(PhoneNumber::from_provider(&digits, us()).unwrap(), with.clone());
            prop_assert_eq!(with.digits(), digits);
        }
    }
}
