//! Ids of stores. A copy that was restored from a backup has an id of its own, which names its origin: whoever expects the origin sees that this is
//! another store, and what was derived from the origin's id stays the same.

/// Between an origin's id and what tells its copies apart.
const OF_COPY: char = '.';
/// Digits of an origin's id, and of what tells its copies apart: lower-case and hexadecimal.
const ORIGIN_DIGITS: usize = 32;
const COPY_DIGITS: usize = 8;

/// The id of a restored copy of the store with this id; `copy` tells it from all others.
pub fn of_copy(id: &str, copy: &str) -> String {
    format!("{}{OF_COPY}{copy}", origin(id))
}

/// The id of the store that a copy was made of, or of its own.
pub fn origin(id: &str) -> &str {
    id.split_once(OF_COPY).map_or(id, |(origin, _)| origin)
}

/// Whether it is the id of a restored copy.
pub fn is_copy(id: &str) -> bool {
    id.contains(OF_COPY)
}

/// Whether an engine could have made it.
pub fn is_well_formed(id: &str) -> bool {
    let has = |digits: &str, count: usize| {
        digits.len() == count && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    };
    match id.split_once(OF_COPY) {
        None => has(id, ORIGIN_DIGITS),
        Some((origin, copy)) => has(origin, ORIGIN_DIGITS) && has(copy, COPY_DIGITS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_a_copy_has_the_first_origin() {
        let copy = of_copy("0a1b", "01");
        let second = of_copy(&copy, "02");
        assert_eq!((copy.as_str(), second.as_str(), origin(&second)), ("0a1b.01", "0a1b.02", "0a1b"));
        assert_eq!([is_copy("0a1b"), is_copy(&copy), is_copy(&second)], [false, true, true]);
    }

    #[test]
    fn only_what_an_engine_could_have_made_is_well_formed() {
        let origin = "0123456789abcdef0123456789abcdef";
        let second_copy = of_copy(&of_copy(origin, "00c0ffee"), "12345678");
        for id in [origin, &of_copy(origin, "00c0ffee"), &second_copy] {
            assert!(is_well_formed(id), "{id}");
        }
        let short = &origin[1..];
        let upper = origin.to_uppercase();
        let others = [format!("{origin}."), format!("{origin}.00c0ffee.00c0ffee"), format!("{origin}.xxxxxxxx")];
        for id in ["", short, &upper, ".00c0ffee"].into_iter().chain(others.iter().map(String::as_str)) {
            assert!(!is_well_formed(id), "{id}");
        }
    }
}
