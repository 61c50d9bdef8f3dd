//! Words as they are compared when a whole message may be one: opt-out words, and what must not be mistaken for them.

/// A text as words are compared: letters and digits only, lower case, full-width forms as ASCII.
///
/// Combining marks go too: Turkish `İPTAL` folds to `iptal` that way, and `é` written as two characters to `e`.
///
/// ```
/// assert_eq!(aldis::sms::folded(" Stop ALL! "), "stopall");
/// ```
pub fn folded(text: &str) -> String {
    folding(text).collect()
}

/// The characters of a [`folded`] text, one after the other: what needs only the first of them folds no more.
pub(crate) fn folding(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .map(|c| match c {
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
            _ => c,
        })
        .flat_map(char::to_lowercase)
        .filter(|c| c.is_alphanumeric() && !('\u{0300}'..='\u{036F}').contains(c))
}
