//! What is true of text messages everywhere: numbers, encodings, segments.

pub mod gsm7;
mod number;
mod part;
mod segments;
mod word;

pub use number::{Country, CountryError, NumberError, PhoneNumber, Sender};
pub use part::Part;
pub use segments::{Encoding, MAX_SEGMENTS, Segments, segments, split};
pub use word::folded;
pub(crate) use word::folding;
