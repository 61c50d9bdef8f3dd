//! Ids of stores. A copy that was restored from a backup has an id of its own, which names its origin: whoever expects the origin sees that this is
//! another store, and what was derived from the origin's id stays the same.

/// Between an origin's id and what tells its copies apart.
const OF_COPY: char = '.';

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
}
