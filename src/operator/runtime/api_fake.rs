//! An API server in memory for tests: no root, no network. It keeps objects as JSON, gives out UIDs and resourceVersions, remembers
//! the requests that wrote, and refuses what it is told to.
//!
//! An apply is a merge by the keys that our lists have; there are no defaults, no admission and no garbage collection. Where the
//! real server's behaviour is the point, the test belongs to `tests/apiserver`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use kube::Client;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// A request that wrote: method and path.
pub(crate) type Write = (String, String);

/// The API server. Clones share one state.
#[derive(Clone, Default)]
pub(crate) struct ApiFake(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    objects: BTreeMap<String, Value>,
    version: u64,
    writes: Vec<Write>,
    refusals: Vec<Refusal>,
}

struct Refusal {
    method: Method,
    within: String,
    code: u16,
    message: String,
    only_json_patch: bool,
}

impl ApiFake {
    /// A client of this server.
    pub(crate) fn client(&self) -> Client {
        Client::new(Router::new().fallback(answer).with_state(self.clone()), "default")
    }

    /// Puts an object there as if somebody else had; says how it stands then.
    pub(crate) fn put<K: serde::de::DeserializeOwned>(&self, path: &str, mut object: Value) -> K {
        let mut inner = self.0.lock();
        inner.stamp(path, &mut object);
        inner.objects.insert(path.into(), object.clone());
        serde_json::from_value(object).unwrap()
    }

    /// The object at a path.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.0.lock().objects.get(path).cloned()
    }

    /// Path and state of each object whose path holds `within`.
    pub(crate) fn objects(&self, within: &str) -> Vec<(String, Value)> {
        let inner = self.0.lock();
        let found = inner.objects.iter().filter(|(path, _)| path.contains(within));
        found.map(|(path, object)| (path.clone(), object.clone())).collect()
    }

    /// Takes an object away as if somebody else had.
    pub(crate) fn remove(&self, path: &str) {
        self.0.lock().objects.remove(path);
    }

    /// From now on requests of this method whose path holds `within` are refused.
    pub(crate) fn refuse(&self, method: Method, within: &str, code: u16, message: &str) {
        let only_json_patch = false;
        let refusal = Refusal { method, within: within.into(), code, message: message.into(), only_json_patch };
        self.0.lock().refusals.push(refusal);
    }

    /// From now on JSON Patches to paths that hold `within` are refused.
    pub(crate) fn refuse_json_patch(&self, within: &str, code: u16, message: &str) {
        let (method, only_json_patch) = (Method::PATCH, true);
        let refusal = Refusal { method, within: within.into(), code, message: message.into(), only_json_patch };
        self.0.lock().refusals.push(refusal);
    }

    /// From now on nothing is refused.
    pub(crate) fn refuse_nothing(&self) {
        self.0.lock().refusals.clear();
    }

    /// The requests that wrote since the last call, but for Events.
    pub(crate) fn writes(&self) -> Vec<Write> {
        std::mem::take(&mut self.0.lock().writes)
    }

    /// Reasons of the Events that were published.
    pub(crate) fn events(&self) -> Vec<String> {
        let inner = self.0.lock();
        let events = inner.objects.iter().filter(|(path, _)| path.contains("/events/"));
        events.map(|(_, event)| event["reason"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

async fn answer(State(fake): State<ApiFake>, method: Method, uri: Uri, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    let mut inner = fake.0.lock();
    if method != Method::GET && !path.contains("/events") {
        inner.writes.push((method.to_string(), path.clone()));
    }
    let sent: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    let refused = inner.refusals.iter().find(|refusal| {
        refusal.method == method && path.contains(&refusal.within) && (!refusal.only_json_patch || sent.is_array())
    });
    if let Some(refused) = refused {
        return failure(refused.code, &refused.message, &path);
    }
    let (path, is_status) = path.strip_suffix("/status").map_or((path.clone(), false), |path| (path.to_owned(), true));
    match method {
        Method::GET => found(inner.objects.get(&path), &path),
        Method::POST => inner.create(&path, sent),
        Method::PUT => inner.replace(&path, sent, is_status),
        Method::PATCH => inner.patch(&path, &uri, sent),
        Method::DELETE => inner.delete(&path),
        _ => failure(405, "not supported by the fake", &path),
    }
}

fn found(object: Option<&Value>, path: &str) -> Response {
    object.map_or_else(|| failure(404, "not found", path), |object| Json(object).into_response())
}

fn failure(code: u16, message: &str, path: &str) -> Response {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "AlreadyExists",
        422 => "Invalid",
        _ => "InternalError",
    };
    let mut parts = path.rsplit('/');
    let (name, plural) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message,
        "details": {"name": name, "kind": plural},
    });
    (StatusCode::from_u16(code).unwrap(), Json(status)).into_response()
}

impl Inner {
    fn stamp(&mut self, path: &str, object: &mut Value) {
        self.version += 1;
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = self.version.to_string().into();
        if metadata["uid"].is_null() {
            metadata["uid"] = format!("uid-{}", self.version).into();
        }
        if metadata["namespace"].is_null()
            && let Some((_, rest)) = path.split_once("/namespaces/")
            && let Some((namespace, _)) = rest.split_once('/')
        {
            metadata["namespace"] = namespace.into();
        }
    }

    fn store(&mut self, path: &str, mut object: Value) -> Response {
        self.stamp(path, &mut object);
        // A pod is deleted for a while without a finalizer; others go when their last one does.
        let has_finalizers =
            |object: &Value| object["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
        let had = self.objects.get(path).is_some_and(has_finalizers);
        let is_over = !object["metadata"]["deletionTimestamp"].is_null() && had && !has_finalizers(&object);
        if is_over {
            self.objects.remove(path);
        } else {
            self.objects.insert(path.into(), object.clone());
        }
        Json(object).into_response()
    }

    fn create(&mut self, path: &str, mut object: Value) -> Response {
        if path.ends_with("/token") {
            object["status"] = json!({"token": "a.b.c", "expirationTimestamp": "2100-01-01T00:00:00Z"});
            return Json(object).into_response();
        }
        let name = object["metadata"]["name"].as_str().unwrap_or("generated").to_owned();
        let path = format!("{path}/{name}");
        if self.objects.contains_key(&path) {
            return failure(409, "already exists", &path);
        }
        self.store(&path, object)
    }

    fn replace(&mut self, path: &str, sent: Value, is_status: bool) -> Response {
        let Some(known) = self.objects.get(path).cloned() else { return failure(404, "not found", path) };
        if sent["metadata"]["resourceVersion"] != known["metadata"]["resourceVersion"] {
            return failure(409, "the object has been modified", path);
        }
        let object = if is_status {
            let mut object = known;
            object["status"] = sent["status"].clone();
            object
        } else {
            sent
        };
        self.store(path, object)
    }

    fn patch(&mut self, path: &str, uri: &Uri, sent: Value) -> Response {
        let known = self.objects.get(path).cloned();
        if let Some(operations) = sent.as_array() {
            let Some(mut object) = known else { return failure(404, "not found", path) };
            for operation in operations.iter().filter(|operation| operation["op"] == "remove") {
                remove(&mut object, operation["path"].as_str().unwrap());
            }
            return self.store(path, object);
        }
        let is_apply = uri.query().is_some_and(|query| query.contains("force=true"));
        match known {
            None if is_apply => self.store(path, sent),
            None => failure(404, "not found", path),
            Some(mut object) => {
                merge(&mut object, &sent, is_apply);
                self.store(path, object)
            }
        }
    }

    fn delete(&mut self, path: &str) -> Response {
        let Some(mut object) = self.objects.get(path).cloned() else { return failure(404, "not found", path) };
        if object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty()) {
            object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
            return self.store(path, object);
        }
        self.objects.remove(path);
        Json(json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})).into_response()
    }
}

/// Removes what a JSON Pointer names.
fn remove(object: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return };
    match object.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.remove(last);
        }
        Some(Value::Array(list)) => {
            if let Ok(index) = last.parse::<usize>()
                && index < list.len()
            {
                list.remove(index);
            }
        }
        _ => {}
    }
}

/// Merges as an apply does, keyed lists by their key; a merge patch replaces lists.
fn merge(object: &mut Value, sent: &Value, is_apply: bool) {
    match (object, sent) {
        (Value::Object(object), Value::Object(sent)) => {
            for (key, value) in sent {
                if value.is_null() {
                    object.remove(key);
                } else {
                    merge(object.entry(key.clone()).or_insert(Value::Null), value, is_apply);
                }
            }
        }
        (Value::Array(object), Value::Array(sent)) if is_apply && sent.iter().all(|element| key(element).is_some()) => {
            for element in sent {
                match object.iter_mut().find(|known| key(known) == key(element)) {
                    Some(known) => merge(known, element, is_apply),
                    None => object.push(element.clone()),
                }
            }
        }
        (object, sent) => *object = sent.clone(),
    }
}

fn key(element: &Value) -> Option<&str> {
    element.get("uid").or_else(|| element.get("mountPath")).or_else(|| element.get("name"))?.as_str()
}
