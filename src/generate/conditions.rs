//! `docs/reference/conditions.md`: every condition and every reason.

use std::fmt::Write as _;

use super::File;
use super::reference::HEADER;
use crate::api::{ConditionType, Reason};

const INTRODUCTION: &str = "\
# Conditions and reasons

Every object of Aldis says in `status.conditions` what is right and what is wrong with it. Each condition has a type, a status (`True`,
`False` or `Unknown`), a reason out of a closed set, and a message that names what to do. A condition that is absent is Unknown.

- `kubectl wait --for=condition=Ready smschannel/support` waits until everything asked for is in force, for the present generation of the spec.
- `Reconciling` and `Stalled` are there only while they are True. `Reconciling`: the operator is at work, or waits for something that comes by
  itself. `Stalled`: a person must do something. Tools that know [kstatus](https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus)
  (Flux, Helm 4) read these three.
- Whatever is missing is waited for: when it appears, the condition turns by itself.
- A reason has the same name in conditions, events and metrics.
";

pub(super) fn file() -> File {
    let mut page = HEADER.to_owned() + INTRODUCTION;
    page.push_str("\n## Conditions\n\n| type | means |\n|---|---|\n");
    for type_ in ConditionType::ALL {
        row(&mut page, type_.as_str(), &type_.description());
    }
    page.push_str("\n## Reasons\n\n| reason | means, and what to do |\n|---|---|\n");
    for reason in Reason::ALL {
        row(&mut page, reason.as_str(), &reason.description());
    }
    File { path: "docs/reference/conditions.md".into(), content: page }
}

fn row(page: &mut String, name: &str, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "| `{name}` | {} |", text.replace('|', "\\|"));
}
