//! Which word that opts out, opts in or asks for help a customer's text is.

use super::core::opt_out::{Keyword, OptOut};
use crate::wire::inbound::{InboundMessage, ProviderOptOut};

/// The word that the provider took a text for, or that the channel's configuration has. What a part of a long text says by itself is none.
pub(super) fn keyword(message: &InboundMessage, words: &OptOut) -> Option<Keyword> {
    let word = || if message.part.is_none() { words.keyword(&message.text) } else { None };
    provider_keyword(message).or_else(word)
}

/// The word that the provider took a text for.
pub(super) fn provider_keyword(message: &InboundMessage) -> Option<Keyword> {
    message.provider_opt_out.map(|opt_out| match opt_out {
        ProviderOptOut::Stop => Keyword::Stop,
        ProviderOptOut::Start => Keyword::Start,
        ProviderOptOut::Help => Keyword::Help,
    })
}
