//! Every CEL rule, with an object that keeps it and one that breaks it.

use std::collections::BTreeSet;

use aldis::api::crd;
use kube::Error;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::Status;
use serde_json::{Value, json};

use super::rule_cases::{Change, cases};
use super::{Desk, merged, object, smallest_spec};

/// Where each rule of the definitions stands, and what it says.
fn rules() -> BTreeSet<(String, String, String)> {
    let mut found = BTreeSet::new();
    for crd in crd::all() {
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
        collect(kind, "", &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], &mut found);
    }
    found
}

fn collect(kind: &str, path: &str, schema: &Value, found: &mut BTreeSet<(String, String, String)>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        found.insert((kind.into(), path.into(), rule["message"].as_str().unwrap_or_default().into()));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(kind, &below, field, found);
    }
    if schema["items"].is_object() {
        collect(kind, &format!("{path}[]"), &schema["items"], found);
    }
}

#[test]
fn every_rule_has_a_case() {
    let covered: BTreeSet<_> =
        cases().iter().map(|case| (case.kind.into(), case.at.into(), case.message.into())).collect();
    let rules = rules();
    let missing: Vec<_> = rules.difference(&covered).collect();
    assert!(missing.is_empty(), "rules without a case: {missing:#?}");
    let stale: Vec<_> = covered.difference(&rules).collect();
    assert!(stale.is_empty(), "cases without a rule: {stale:#?}");
}

#[tokio::test]
async fn every_rule_lets_the_good_pass_and_refuses_the_bad_with_its_message() {
    let desk = Desk::new("rules").await;
    let dry = PostParams { dry_run: true, field_manager: None };
    let mut faults = Vec::new();
    for (index, case) in cases().into_iter().enumerate() {
        let api = desk.api(case.kind);
        let name = format!("case-{index}");
        let (good, bad) = match &case.change {
            Change::Create { good, bad } => {
                let spec = |patch| merged(&smallest_spec(case.kind), patch);
                let good = api.create(&dry, &object(case.kind, &name, &spec(good))).await;
                (good, api.create(&dry, &object(case.kind, &name, &spec(bad))).await)
            }
            Change::Name { good, bad } => {
                let named = |name| object(case.kind, name, &smallest_spec(case.kind));
                let good = api.create(&dry, &named(good)).await;
                (good, api.create(&dry, &named(bad)).await)
            }
            Change::Update { before, good, bad } | Change::Grown { before, good, bad, .. } => {
                let spec = merged(&smallest_spec(case.kind), before);
                api.create(&PostParams::default(), &object(case.kind, &name, &spec)).await.unwrap();
                if let Change::Grown { status, .. } = &case.change {
                    let params = PatchParams::default();
                    api.patch_status(&name, &params, &Patch::Merge(json!({ "status": status }))).await.unwrap();
                }
                let params = PatchParams { dry_run: true, ..PatchParams::default() };
                let good = api.patch(&name, &params, &Patch::Merge(json!({ "spec": good }))).await;
                (good, api.patch(&name, &params, &Patch::Merge(json!({ "spec": bad }))).await)
            }
        };
        if let Err(error) = good {
            faults.push(format!("{} {}: the good one was refused: {error}", case.kind, case.at));
        }
        match bad {
            Ok(_) => faults.push(format!("{} {}: the bad one was accepted", case.kind, case.at)),
            Err(Error::Api(status)) if says_only(&status, case.message) => {}
            Err(error) => faults.push(format!("{} {}: another message: {error}", case.kind, case.at)),
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Whether this message is the one cause of the refusal.
fn says_only(status: &Status, message: &str) -> bool {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    status.is_invalid() && causes.len() == 1 && causes[0].message.ends_with(message)
}
