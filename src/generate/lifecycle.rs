//! `docs/reference/states.md`: the stages of an interaction, every transition, and the reasons for which one ends.

use std::{collections::BTreeMap, fmt::Write as _};

use super::File;
use super::reference::{HEADER, cell};
use crate::engine::{
    core::lifecycle::{Stage, TRANSITIONS, Transition},
    event_schemas::event_schemas,
};

const INTRODUCTION: &str = "\
# States of an interaction

An interaction is one conversation, from its first message to its close. This page has every state in which it can be and every transition between
them. Tests hold it against random histories of the engine: no transition but these happens, and each of them does. [Concepts](../concepts.md#the-life-of-a-conversation)
has the order in which a text is decided, [who gets the next interaction](../distribution.md) and [how a bot runs](../bots.md) the rules behind the transitions,
and [events](events.md) every field.

A customer has one open interaction with a channel at most. Each transition below is one step of the engine, committed as a whole.
";

/// What the three states of a transfer are drawn as, where they do the same.
const TRANSFER: &str = "Transfer";

pub(super) fn file() -> File {
    let mut page = format!("{HEADER}{INTRODUCTION}\n```mermaid\n{}```\n", diagram());
    page += "\n## States\n\n| state | means | in the agents' API (`state`) |\n|---|---|---|\n";
    for stage in Stage::ALL {
        let _ = writeln!(page, "| `{stage:?}` | {} | {} |", cell(stage.description()), stage.in_api());
    }
    page += "\n## Transitions\n\nThe event is the one that says where the interaction is then; others may come before it in the same step, such as `BotEnded`, `TransferEnded`, \
             `QueueTimedOut` or `OptedOut`. From a state to the same one: to another agent.\n\n| from | to | event | what makes it |\n|---|---|---|---|\n";
    for way in TRANSITIONS {
        let from = way.from.map_or_else(|| "(none)".to_owned(), |from| format!("`{from:?}`"));
        let causes: Vec<_> = way.causes.iter().map(|cause| cause.description()).collect();
        let _ = writeln!(page, "| {from} | `{:?}` | {} | {} |", way.to, linked(way), cell(&causes.join("; ")));
    }
    page += &ends();
    page += REMARKS;
    File { path: "docs/reference/states.md".into(), content: page }
}

const REMARKS: &str = "
## What changes no state

- A text of the customer joins the open interaction (`InboundRecorded` with the outcome `Joined`), a reply goes out (`OutboundCommitted`), a note is added (`NoteAdded`, `BotNoted`).
- `QueueTimedOut` without a bot for it: the interaction goes on waiting.
- `BotStepped` and `BotTimedOut`: the bot goes on, or ends with the next event.
- `OfferExtended`, and `OfferDeclined` and `OfferWithdrawn` while others are asked still; `OfferRested`.
- A customer who opts out while an agent has the interaction: it stays with the agent, who can finish it and not reply.
- Channel or campaign are disabled or enabled, hours end, the engine starts anew: each interaction stays where it is. Timers stand still while disabled.
";

fn label(way: &Transition) -> String {
    way.reason.map_or_else(|| way.event.to_owned(), |reason| format!("{} {reason:?}", way.event))
}

fn linked(way: &Transition) -> String {
    let reason = way.reason.map(|reason| format!(" (`{reason:?}`)")).unwrap_or_default();
    format!("[{0}](events.md#{1}){reason}", way.event, way.event.to_lowercase())
}

/// Mermaid's state diagram. What all states of a transfer do alike is drawn once.
fn diagram() -> String {
    let mut edges: BTreeMap<(usize, String, String), Vec<String>> = BTreeMap::new();
    for (at, way) in TRANSITIONS.iter().enumerate() {
        let is_alike = |from: &Stage| {
            let has =
                |other: &Transition| other.from == Some(*from) && other.to == way.to && label(other) == label(way);
            TRANSITIONS.iter().any(has)
        };
        let in_transfer = way.from.is_some_and(|from| Stage::TRANSFERS.contains(&from));
        let from = match way.from {
            None => "[*]".to_owned(),
            Some(_) if in_transfer && Stage::TRANSFERS.iter().all(is_alike) => TRANSFER.to_owned(),
            Some(from) => format!("{from:?}"),
        };
        let to = format!("{:?}", way.to);
        let first = edges.keys().find(|(_, known, there)| (known, there) == (&from, &to)).map_or(at, |key| key.0);
        let labels = edges.entry((first, from, to)).or_default();
        if !labels.contains(&label(way)) {
            labels.push(label(way));
        }
    }
    let mut lines = "stateDiagram-v2\n    direction TB\n".to_owned();
    let _ = writeln!(lines, "    state {TRANSFER} {{");
    for stage in Stage::TRANSFERS {
        let _ = writeln!(lines, "        {stage:?}");
    }
    lines += "    }\n";
    for ((_, from, to), labels) in edges {
        let _ = writeln!(lines, "    {from} --> {to} : {}", short(&labels));
    }
    lines + "    Closed --> [*]\n"
}

/// Several ends are one line: the event once, its reasons after it.
fn short(labels: &[String]) -> String {
    let reasons: Vec<_> = labels.iter().filter_map(|label| label.strip_prefix("InteractionClosed ")).collect();
    if reasons.is_empty() { labels.join(", ") } else { reasons.join(", ") }
}

/// The reasons for which interactions end, and from which states.
fn ends() -> String {
    let schemas = event_schemas("#/");
    let reasons = schemas.definitions["CloseReason"]["oneOf"].as_array().into_iter().flatten();
    let mut section = "\n## Close reasons\n\nIn the diagram these stand for `InteractionClosed`.\n\n| reason | means | from |\n|---|---|---|\n".to_owned();
    for reason in reasons {
        let name = reason["const"].as_str().unwrap_or_default();
        let ways = TRANSITIONS.iter().filter(|way| way.reason.is_some_and(|of| format!("{of:?}") == name));
        let from = ways.map(|way| way.from.map_or_else(|| "(none)".to_owned(), |from| format!("`{from:?}`")));
        let description = reason["description"].as_str().unwrap_or_default();
        let _ = writeln!(section, "| `{name}` | {} | {} |", cell(description), from.collect::<Vec<_>>().join(", "));
    }
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagram_has_each_transition_once_and_transfers_together() {
        let diagram = diagram();
        assert!(diagram.contains("    [*] --> Queued : InteractionQueued\n"), "{diagram}");
        assert!(diagram.contains("    Transfer --> Closed : Finished, Idle, BySupervisor\n"), "{diagram}");
        assert!(diagram.contains("    TransferToQueue --> TransferOffered : InteractionOffered\n"), "{diagram}");
        for way in TRANSITIONS {
            let word = way.reason.map_or_else(|| way.event.to_owned(), |reason| format!("{reason:?}"));
            let from = way.from.map_or_else(|| "[*]".to_owned(), |from| format!("{from:?}"));
            let in_transfer = way.from.is_some_and(|from| Stage::TRANSFERS.contains(&from));
            let drawn = if in_transfer { vec![from.as_str(), TRANSFER] } else { vec![from.as_str()] };
            let is_it = |line: &&str| {
                let (ways, labels) = line.split_once(" : ").unwrap_or((line, ""));
                let goes = drawn.iter().any(|from| ways.trim() == format!("{from} --> {:?}", way.to));
                goes && labels.split(", ").any(|label| label == word)
            };
            assert_eq!(diagram.lines().filter(is_it).count(), 1, "{way:?} in {diagram}");
        }
        assert!(ends().contains("| `Idle` | No message for too long. | `Active`,"), "{}", ends());
    }
}
