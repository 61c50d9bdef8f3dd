//! Texts that agents have at hand.

use axum::{Json, extract::State};
use serde::Serialize;

use super::{Shared, caller::Agent};
use crate::wire::config::engine as document;

/// The texts that agents have at hand.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CannedReplies {
    /// The texts, in the order of their shortcuts; at most 100.
    pub items: Vec<CannedReply>,
}

/// A text that agents have at hand. Your client inserts it into what the agent writes, and replaces in it what it likes; here nothing is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CannedReply {
    /// What an agent types to find it.
    #[schema(example = "opening-hours")]
    pub shortcut: String,
    /// The text, as it stands in the campaign.
    pub text: String,
    /// What agents see in a list; absent when the shortcut says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The language of the text as BCP 47 writes it; absent when the campaign does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "pt-BR")]
    pub language: Option<String>,
}

/// The texts that agents have at hand, as the campaign has them. Event `ConfigApplied` says that they may have changed.
#[utoipa::path(get, path = "/v1/channels/{channel}/canned-replies", tag = "interactions", responses((status = 200, body = CannedReplies)))]
pub(super) async fn canned_replies(State(shared): State<Shared>, _: Agent) -> Json<CannedReplies> {
    let settings = shared.settings.load();
    let shown = |reply: &document::CannedReply| {
        let document::CannedReply { shortcut, text, title, language } = reply.clone();
        CannedReply { shortcut, text, title, language }
    };
    Json(CannedReplies { items: settings.canned_replies.iter().map(shown).collect() })
}
