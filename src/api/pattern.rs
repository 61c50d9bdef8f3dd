//! Patterns and bounds that several kinds share. The API server matches them as RE2, anchored by themselves.

/// An E.164 number, or a short code behind its country: `+15551230001`, `US:72345`.
pub(super) const NUMBER: &str = r"^(\+[1-9][0-9]{6,14}|[A-Z]{2}:[0-9]{3,8})$";
/// A UUID in small letters.
pub(super) const UUID: &str = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";
/// A DNS subdomain, as the API server demands of most names.
pub(super) const OBJECT_NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A key of a Secret.
pub(super) const SECRET_KEY: &str = r"^[-._a-zA-Z0-9]+$";
/// An `http` or `https` URL of host, port and path, without a slash at its end, user, query or fragment.
pub(super) const BASE_URL: &str =
    r"^https?://[a-zA-Z0-9]([-.a-zA-Z0-9]*[a-zA-Z0-9])?(:[0-9]{1,5})?(/[-._~a-zA-Z0-9]+)*$";
/// The origin of a web page: `https` with a host and perhaps a port, or `http` on the machine itself. The operator looks more closely.
pub(super) const ORIGIN: &str = r"^(https://[a-z0-9]([-.a-z0-9]*[a-z0-9])?|https://[[][0-9a-f:.]+[]]|http://(localhost|127[.][0-9.]+|[[]::1[]]))(:[0-9]{1,5})?$";
/// `HH:MM-HH:MM`; the end may be `24:00`.
pub(super) const TIME_RANGE: &str = r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$";
/// A calendar date, `YYYY-MM-DD`.
pub(super) const DATE: &str = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$";
/// A moment as RFC 3339 writes it, in years and with offsets that clocks have.
pub(super) const INSTANT: &str = concat!(
    "^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)",
    r"(\.[0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
);
/// The shape of an IANA time zone name. The operator knows which exist.
pub(super) const TIME_ZONE: &str = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$";
/// A name that people give to a step, a case or a disposition.
pub(super) const LABEL: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// The shape of a language tag of BCP 47: `es`, `pt-BR`.
pub(super) const LANGUAGE: &str = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$";
/// The name of a variable that a bot sets.
pub(super) const VARIABLE: &str = r"^[a-z][A-Za-z0-9_]*$";
/// A variable, or a part of one by dots: `order.items.0.name`.
pub(super) const VARIABLE_PATH: &str = r"^[a-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$";
/// An amount of bytes as Kubernetes writes it: `1Gi`, `500M`.
pub(super) const STORAGE_SIZE: &str = r"^[1-9][0-9]*(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$";
/// An amount of CPU or memory as Kubernetes writes it: `100m`, `0.5`, `64Mi`.
pub(super) const QUANTITY: &str = r"^[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$";
/// The keyword of an opt-out list: one or more words.
pub(super) const KEYWORD: &str = r"^\S+( \S+)*$";

/// Longest text that is sent in one go: ten concatenated GSM-7 segments and what the providers accept.
pub(super) const TEXT_MAX: u32 = 1600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_that_passes_can_be_read() {
        let pattern = regex::Regex::new(INSTANT).unwrap();
        let cases = [
            ("2026-12-31T23:59:59Z", true),
            ("1000-01-01t00:00:00.123456789+23:59", true),
            ("2999-12-31T23:59:60-23:59", true),
            ("2026-01-01T00:00:00+99:00", false),
            ("9999-12-31T23:59:59-23:59", false),
            ("0000-01-01T00:00:00Z", false),
            ("2026-01-01T00:00:00.1234567890Z", false),
            ("2026-01-01 00:00:00Z", false),
        ];
        for (text, passes) in cases {
            assert_eq!(pattern.is_match(text), passes, "{text}");
            assert!(!passes || text.parse::<jiff::Timestamp>().is_ok(), "{text}");
        }
    }
}
