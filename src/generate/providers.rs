//! `docs/reference/providers.md`: what Aldis does with each provider, from the list of providers.

use std::fmt::Write as _;

use super::{File, reference::HEADER};
use crate::api::provider::{DefaultBaseUrl, FACTS, Facts, NumberList, WebhookCheck};

pub(super) fn file() -> File {
    let mut page = format!("{HEADER}# Providers\n\n{INTRODUCTION}");
    page += "\n## What each can do\n\n";
    page += &table("", |facts| format!("[{}](#{})", facts.title, anchor(facts.title)));
    page += &"|---".repeat(FACTS.len() + 1);
    page += "|\n";
    page += &table("numbers", |facts| match facts.capabilities.numbers {
        NumberList::Listed => "listed".into(),
        NumberList::NotListable => "declared".into(),
    });
    page += &table("address of webhooks", |facts| match facts.capabilities.webhook_check {
        WebhookCheck::Compared => "compared".into(),
        WebhookCheck::NotShown => "not shown".into(),
    });
    page += &table("proof of a webhook", |facts| facts.capabilities.webhook_proof.into());
    page += &table("receipts carry our token in", |facts| facts.capabilities.receipt_token.into());
    page += &table("parts of long texts joined by", |facts| facts.capabilities.inbound_parts.into());
    page += &table("says of opt-outs", |facts| facts.capabilities.opt_outs.into());
    page += &table("inbound files", |facts| yes(facts.capabilities.inbound_media, "named").into());
    page += &table("claims of numbers", |facts| {
        if facts.own_hosts.is_empty() { "within the namespace" } else { "in the whole cluster" }.into()
    });
    for facts in FACTS {
        page += &section(facts);
    }
    File { path: "docs/reference/providers.md".into(), content: page }
}

const INTRODUCTION: &str = "\
What an `SmsConnector` can use, as the member of `spec.provider` is called. *Numbers*: whether the gateway asks the provider which numbers the
account has, or believes what `spec.numbers` declares. *Address of webhooks*: whether the provider shows which address it calls, so that
`WebhookInSync` can say whether it is ours. *Claims of numbers*: how far a number can belong to one channel only; at an address that is not one of
the provider's own hosts, always within the namespace (docs/security.md).
";

fn table(name: &str, cell: impl Fn(&Facts) -> String) -> String {
    let cells = FACTS.iter().map(|facts| format!(" {} |", cell(facts))).collect::<String>();
    format!("| {name} |{cells}\n")
}

fn yes(is_so: bool, word: &'static str) -> &'static str {
    if is_so { word } else { "none" }
}

fn anchor(title: &str) -> String {
    let kept = title.to_lowercase().replace(' ', "-");
    kept.chars().filter(|character| character.is_alphanumeric() || *character == '-').collect()
}

fn section(facts: &Facts) -> String {
    let mut section = format!("\n## {}\n\n`spec.provider.{}`. ", facts.title, facts.member);
    section += &match facts.default_base_url {
        DefaultBaseUrl::None => "`baseUrl` must be given.".to_owned(),
        DefaultBaseUrl::Fixed(url) => format!("Without `baseUrl`: `{url}`."),
        DefaultBaseUrl::With { before, field, after } => {
            format!("Without `baseUrl`: `{before}<{field}>{after}`.")
        }
    };
    let hosts: Vec<_> = facts.own_hosts.iter().map(|pattern| format!("`{}`", pattern.0)).collect();
    if !hosts.is_empty() {
        let _ = write!(section, " The provider's own hosts: {}.", hosts.join(", "));
    }
    section += "\n\n| key of the Secret | | what it is |\n|---|---|---|\n";
    for key in facts.secret_keys {
        let need = if key.required { "required" } else { "optional" };
        let _ = writeln!(section, "| `{}` | {need} | {} |", key.name, key.about);
    }
    section
}
