//! Issuers of agents' tokens that do not answer.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{Json, Router, http::StatusCode, routing::get};
use serde_json::{Value, json};

use crate::{
    desk::Desk,
    support::{
        issuer::TestIssuer,
        operator::{Flags, Operator},
        testbed::{Cluster, eventually},
    },
};

/// An identity provider that can be away.
struct IdentityProvider {
    issuer: TestIssuer,
    away: Arc<AtomicBool>,
}

impl IdentityProvider {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = TestIssuer::new(&format!("http://{}", listener.local_addr().unwrap()));
        let away = Arc::new(AtomicBool::new(false));
        let answer = |body: Value| {
            let away = away.clone();
            get(move || {
                let answer = if away.load(Ordering::SeqCst) { Err(StatusCode::BAD_GATEWAY) } else { Ok(Json(body)) };
                std::future::ready(answer)
            })
        };
        let discovery = json!({"issuer": issuer.url, "jwks_uri": format!("{}/keys", issuer.url)});
        let router = Router::new()
            .route("/.well-known/openid-configuration", answer(discovery))
            .route("/keys", answer(issuer.keys()));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { issuer, away }
    }

    fn keys_in(&self, desk: &Desk<'_>, engine: &str) -> Option<Value> {
        let issuers = desk.config(engine)["agentIssuers"].as_array().cloned().unwrap_or_default();
        issuers.into_iter().find(|known| known["issuer"] == self.issuer.url.as_str()).map(|known| known["keys"].clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_starts_while_an_issuer_is_away_locks_no_agent_out() {
    let cluster = Cluster::apiserver();
    let desk = Desk::new(cluster);
    let provider = IdentityProvider::start().await;
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("issuers.json");
    let entry = json!([{"issuer": provider.issuer.url, "audience": "desk", "userPrefix": "idp:"}]);
    std::fs::write(&list, entry.to_string()).unwrap();
    let flags = Flags { more: vec![format!("--agent-issuers={}", list.display())], ..Flags::default() };
    let mut operator = Operator::start(cluster, &[&desk.namespace], flags).await;
    desk.apply(&desk.whole());
    desk.wait_ready("smschannel/support");
    assert_eq!(provider.keys_in(&desk, "sms-support"), Some(provider.issuer.keys()));

    provider.away.store(true, Ordering::SeqCst);
    operator.restart();
    // A channel that is made now has a configuration of this operator's.
    desk.apply(&desk.channel("sales", "+15551230002", ""));
    eventually("the new engine's configuration", || desk.get("configmap/sms-sales").map(drop));
    assert_eq!(provider.keys_in(&desk, "sms-sales"), Some(provider.issuer.keys()), "as its neighbour has them");
    desk.kubectl(&["patch", "smschannel/support", "--type=merge", "-p", r#"{"spec": {"maxQueued": 7}}"#]);
    eventually("a configuration written anew", || (desk.config("sms-support")["maxQueued"] == 7).then_some(()));
    assert_eq!(provider.keys_in(&desk, "sms-support"), Some(provider.issuer.keys()));
    let reachable = operator.metric("aldis_operator_issuer_reachable", &provider.issuer.url).await;
    assert_eq!(reachable, 0.0, "a metric says that the issuer is away");
}
