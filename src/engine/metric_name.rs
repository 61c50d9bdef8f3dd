//! A kind of label.

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

/// A label whose values are the names of an enum's members.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name(pub(super) &'static str);

impl EncodeLabelValue for Name {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}
