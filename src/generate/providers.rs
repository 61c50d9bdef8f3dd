//! `docs/reference/providers.md`: what Aldis does with each provider, from the list of providers.

use std::fmt::Write as _;

use super::{File, reference::HEADER};
use crate::api::provider::{DefaultBaseUrl, FACTS, Facts, NumberList, WebhookCheck};

pub(super) fn file() -> File {
    let mut page = format!("{HEADER}# Providers\n\n{INTRODUCTION}\n## What each can do\n\n");
    let head = COLUMNS.iter().map(|(name, _)| format!(" {name} |")).collect::<String>();
    let _ = writeln!(page, "| |{head}\n|---|{}", "---|".repeat(COLUMNS.len()));
    for facts in FACTS {
        let cells = COLUMNS.iter().map(|(_, cell)| format!(" {} |", cell(facts))).collect::<String>();
        let _ = writeln!(page, "| [{}](#{}) |{cells}", facts.title, anchor(facts.title));
    }
    for facts in FACTS {
        page += &section(facts);
    }
    File { path: "docs/reference/providers.md".into(), content: page }
}

/// The name of a column, and what it says of a provider.
type Column = (&'static str, fn(&Facts) -> &'static str);

const COLUMNS: [Column; 8] = [
    ("numbers", |facts| match facts.capabilities.numbers {
        NumberList::Listed => "listed",
        NumberList::NotListable => "declared",
    }),
    ("address of webhooks", |facts| match facts.capabilities.webhook_check {
        WebhookCheck::Compared => "compared",
        WebhookCheck::NotShown => "not shown",
    }),
    ("proof of a webhook", |facts| facts.capabilities.webhook_proof),
    ("receipts carry our token in", |facts| facts.capabilities.receipt_token),
    ("parts of long texts are joined by", |facts| facts.capabilities.inbound_parts),
    ("says of opt-outs", |facts| facts.capabilities.opt_outs),
    ("inbound files", |facts| if facts.capabilities.inbound_media { "named" } else { "none" }),
    ("claims of numbers", |facts| {
        if facts.tells_whose_numbers_are() { "in the whole cluster" } else { "within the namespace" }
    }),
];

const INTRODUCTION: &str = "\
What an `SmsConnector` can use, as the member of `spec.provider` is called. *Numbers*: whether the gateway asks the provider which numbers the
account has, or believes what `spec.numbers` declares. *Address of webhooks*: whether the provider shows which address it calls, so that
`WebhookInSync` can say whether it is ours. *Claims of numbers*: how far a number can belong to one channel only; at an address that is not one of
the provider's own hosts, always within the namespace (docs/security.md).
";

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
