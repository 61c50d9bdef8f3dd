//! Requests and answers.

use std::{convert::Infallible, sync::Arc, time::Duration};

use aldis::api::{Blocklist, Bot, Campaign, SmsChannel, SmsConnector};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use kube::CustomResourceExt;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Shared,
    cluster::Writer,
    object::{Form, Key, Object},
    query::{Filter, Place, Query, form},
    store::{Watch, bookmark},
    write::{self, Refused},
};

/// Between two bookmarks of a watch; a real API server sends them about once a minute.
const BOOKMARK: Duration = Duration::from_secs(60);
const DEFINITIONS: &str = "apiextensions.k8s.io/v1/customresourcedefinitions";

pub fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(answer).with_state(shared)
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    match parts.uri.path() {
        "/.well-known/openid-configuration" => return axum::Json(discovery()).into_response(),
        "/openid/v1/jwks" => return axum::Json(keys()).into_response(),
        "/version" => {
            return axum::Json(json!({"major": "1", "minor": "35", "gitVersion": "v1.35.0-simulated"})).into_response();
        }
        _ => {}
    }
    let Some(place) = Place::of(parts.uri.path()) else { return refuse(&not_found(parts.uri.path())) };
    let result = if parts.method == Method::GET {
        read(&shared, &place, &parts.uri, &parts.headers)
    } else {
        change(&shared, &place, &parts.method, &parts.uri, &parts.headers, &body)
    };
    result.unwrap_or_else(|refused| refuse(&refused))
}

fn read(shared: &Arc<Shared>, place: &Place, uri: &Uri, headers: &HeaderMap) -> Result<Response, Refused> {
    let (query, form) = (Query::of(uri), form(headers));
    if let Some(name) = &place.name {
        shared.count("get", place);
        if place.kind == DEFINITIONS {
            return definition(name).map(|found| axum::Json(found).into_response()).ok_or_else(|| not_found(name));
        }
        let key = (place.namespace.clone().unwrap_or_default(), name.clone());
        let cluster = shared.cluster.lock();
        let object = cluster.store.get(&place.kind, &key).ok_or_else(|| not_found(name))?;
        return Ok(json_answer(StatusCode::OK, object.alone(form)));
    }
    let filter = Filter::of(place.namespace.clone(), &query);
    if query.is_true("watch") {
        shared.count("watch", place);
        return Ok(watch(shared, place, &query, filter, form));
    }
    shared.count("list", place);
    Ok(list(shared, place, &query, &filter, form))
}

fn list(shared: &Shared, place: &Place, query: &Query, filter: &Filter, form: Form) -> Response {
    let mut cluster = shared.cluster.lock();
    let present = cluster.store.version;
    // From its cache a real one answers with everything.
    let limit = if query.get("resourceVersion") == Some("0") {
        None
    } else {
        query.get("limit").and_then(|limit| limit.parse().ok())
    };
    let mut token = query.get("continue").unwrap_or_default().splitn(3, '/');
    let since = token.next().and_then(|since| since.parse().ok()).unwrap_or(present);
    let after = token.next().zip(token.next()).map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
    let page = cluster.store.shelf(&place.kind).page(filter, after, limit.unwrap_or(usize::MAX));
    drop(cluster);
    let next = page.next.map_or_else(String::new, |(namespace, name)| format!("{since}/{namespace}/{name}"));
    let (version, kind) = match form {
        Form::Whole => (place.kind.rsplit_once('/').map_or("v1", |(version, _)| version), "List"),
        Form::Metadata => ("meta.k8s.io/v1", "PartialObjectMetadataList"),
    };
    let metadata = json!({"resourceVersion": since.to_string(), "continue": next});
    let mut text =
        format!(r#"{{"kind":"{kind}","apiVersion":"{version}","metadata":{metadata},"items":["#).into_bytes();
    for (index, object) in page.objects.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        object.append(&mut text, form);
    }
    text.extend_from_slice(b"]}");
    json_answer(StatusCode::OK, text.into())
}

fn watch(shared: &Arc<Shared>, place: &Place, query: &Query, filter: Filter, form: Form) -> Response {
    let (to, events) = mpsc::unbounded_channel();
    let watch = Watch { filter, form, to };
    let mut cluster = shared.cluster.lock();
    let version = cluster.store.version;
    let shelf = cluster.store.shelf(&place.kind);
    if query.is_true("sendInitialEvents") {
        shelf.watch_from_the_start(watch, version);
    } else {
        let since = query.get("resourceVersion").and_then(|since| since.parse().ok()).unwrap_or(version);
        if !shelf.watch(watch, since) {
            let expired = write::status(&Refused(410, "Expired", "too old resource version".to_owned()));
            return json_answer(StatusCode::OK, format!("{}\n", json!({"type": "ERROR", "object": expired})).into());
        }
    }
    drop(cluster);
    let seconds = query.get("timeoutSeconds").and_then(|seconds| seconds.parse().ok()).unwrap_or(290);
    let ends = Instant::now() + Duration::from_secs(seconds);
    let state = (shared.clone(), events, Instant::now() + BOOKMARK, ends);
    let stream = futures::stream::unfold(state, async |(shared, mut events, next, ends)| {
        tokio::select! {
            biased;
            event = events.recv() => event.map(|event| (event, (shared, events, next, ends))),
            () = tokio::time::sleep_until(ends) => None,
            () = tokio::time::sleep_until(next) => {
                let version = shared.cluster.lock().store.version;
                // What was sent before this version was seen is in the channel already; it must come first.
                let event = events.try_recv().unwrap_or_else(|_| bookmark(version, false));
                Some((event, (shared, events, Instant::now() + BOOKMARK, ends)))
            }
        }
    });
    let stream = futures::StreamExt::map(stream, Ok::<Bytes, Infallible>);
    ([("content-type", "application/json")], Body::from_stream(stream)).into_response()
}

fn change(
    shared: &Arc<Shared>,
    place: &Place,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Refused> {
    let query = Query::of(uri);
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    if place.subresource.as_deref() == Some("token") {
        *shared.requests.lock().entry(("create", format!("{}/token", place.kind))).or_default() += 1;
        return Ok(token(body));
    }
    let content = headers.get("content-type").and_then(|content| content.to_str().ok()).unwrap_or_default();
    let verb = match *method {
        Method::POST => "create",
        Method::PUT => "replace",
        Method::DELETE => "delete",
        _ if content.contains("apply-patch") => "apply",
        _ => "patch",
    };
    let is_leader_lease =
        place.name.as_deref() == Some("aldis-operator") || body["metadata"]["name"] == "aldis-operator";
    if place.kind.ends_with("/leases") && is_leader_lease {
        *shared.requests.lock().entry(("renew", place.kind.clone())).or_default() += 1;
    } else {
        shared.count(verb, place);
    }
    let manager = query.get("fieldManager").unwrap_or("unknown");
    let writer = Writer { manager, operation: if verb == "apply" { "Apply" } else { "Update" } };
    let written = carry_out(shared, place, verb, content, body, writer);
    shared.changed.notify_waiters();
    let (code, object) = written?;
    let none = || json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}).to_string().into();
    Ok(json_answer(code, object.map_or_else(none, |object| object.alone(form(headers)))))
}

fn carry_out(
    shared: &Shared,
    place: &Place,
    verb: &str,
    content: &str,
    mut body: Value,
    writer: Writer<'_>,
) -> Result<(StatusCode, Option<Arc<Object>>), Refused> {
    let mut cluster = shared.cluster.lock();
    let namespace = place.namespace.clone().unwrap_or_default();
    let Some(name) = &place.name else {
        if body["metadata"].get("name").is_none() {
            let prefix = body["metadata"]["generateName"].as_str().unwrap_or_default();
            body["metadata"]["name"] = format!("{prefix}{}", cluster.store.version).into();
        }
        return Ok((StatusCode::CREATED, Some(cluster.create(&place.kind, &namespace, body, writer)?)));
    };
    let key: Key = (namespace, name.clone());
    let standing = cluster.store.get(&place.kind, &key).map(|object| object.value());
    let named = if verb == "delete" { &body["preconditions"] } else { &body["metadata"] };
    write::check(named, standing.as_ref())?;
    let Some(old) = standing else {
        if verb == "apply" && place.subresource.is_none() {
            return Ok((StatusCode::CREATED, Some(cluster.create(&place.kind, &key.0, body, writer)?)));
        }
        return Err(not_found(name));
    };
    let is_status = place.subresource.as_deref() == Some("status");
    let new = match verb {
        "delete" => return Ok((StatusCode::OK, cluster.delete(&place.kind, &key, old))),
        "apply" | "replace" if is_status => write::status_applied(old.clone(), &body),
        "apply" => write::applied(Some(old.clone()), &body),
        "replace" => write::replaced(&old, body.clone()),
        _ if content.contains("json-patch") => write::patched(old.clone(), &body)?,
        _ => write::merged(old.clone(), &body),
    };
    Ok((StatusCode::OK, Some(cluster.update(&place.kind, &key, old, new, &body, writer))))
}

impl Shared {
    fn count(&self, verb: &'static str, place: &Place) {
        let kind = place.subresource.as_ref().map_or_else(|| place.kind.clone(), |sub| format!("{}/{sub}", place.kind));
        *self.requests.lock().entry((verb, kind)).or_default() += 1;
    }
}

fn json_answer(code: StatusCode, body: Bytes) -> Response {
    (code, [("content-type", "application/json")], body).into_response()
}

fn refuse(refused: &Refused) -> Response {
    let code = StatusCode::from_u16(refused.0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (code, axum::Json(write::status(refused))).into_response()
}

fn not_found(what: &str) -> Refused {
    Refused(404, "NotFound", format!("{what} not found"))
}

fn definition(name: &str) -> Option<Value> {
    let all = [SmsConnector::crd(), SmsChannel::crd(), Campaign::crd(), Bot::crd(), Blocklist::crd()];
    let found = all.into_iter().find(|definition| definition.metadata.name.as_deref() == Some(name))?;
    let mut found = serde_json::to_value(found).expect("JSON");
    found["status"] = json!({"conditions": [
        {"type": "Established", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z", "reason": "", "message": ""},
    ]});
    Some(found)
}

fn token(mut request: Value) -> Response {
    let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    request["status"] = json!({"token": "simulated", "expirationTimestamp": expires.to_string()});
    (StatusCode::CREATED, axum::Json(request)).into_response()
}

fn discovery() -> Value {
    json!({"issuer": "https://kubernetes.default.svc", "jwks_uri": "https://10.0.0.1/openid/v1/jwks"})
}

/// As long as a real key. Nobody shows a token that it signed.
fn keys() -> Value {
    json!({"keys": [{"use": "sig", "kty": "RSA", "kid": "simulated", "alg": "RS256", "n": "x".repeat(342), "e": "AQAB"}]})
}
