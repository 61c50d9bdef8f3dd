//! A message's reference: what a provider is given with it and repeats in its receipts, where the address of the webhook cannot carry the
//! receipt token because it may not be long, or is not covered by the signature.

use crate::sms::PhoneNumber;

/// Stands between token and number. It is in neither, and in a URL it needs no escape.
const BETWEEN: char = '~';

/// The token, and our number behind it, without its plus: that would be a blank where somebody forgets to escape it.
pub(super) fn write(token: &str, number: &str) -> String {
    format!("{token}{BETWEEN}{}", number.trim_start_matches('+'))
}

/// Token and number of a reference. One that is not ours has no number; the engine sees that the token is not its own.
pub(super) fn read(reference: &str) -> (Option<String>, Option<PhoneNumber>) {
    let (token, number) = reference.rsplit_once(BETWEEN).unwrap_or((reference, ""));
    let token = (!token.is_empty()).then(|| token.to_owned());
    (token, PhoneNumber::from_provider(number, None).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        for number in ["+15551230001", "US:72345"] {
            let (token, read) = read(&write("7-1.ab_C-", number));
            assert_eq!((token.as_deref(), read.as_ref().map(PhoneNumber::as_str)), (Some("7-1.ab_C-"), Some(number)));
        }
    }

    #[test]
    fn what_others_wrote_has_no_number() {
        assert_eq!(read("order 17"), (Some("order 17".into()), None));
        assert_eq!(read("order~x"), (Some("order".into()), None));
        assert_eq!(read(""), (None, None));
        assert_eq!(read("~15551230001"), (None, Some("+15551230001".parse().unwrap())));
    }
}
