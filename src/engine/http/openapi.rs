//! The agents' interface as an OpenAPI document.

use std::sync::LazyLock;

use axum::{
    body::Bytes,
    http::{HeaderName, header},
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        PathItem, Ref, RefOr, Required, Response,
        content::ContentBuilder,
        header::HeaderBuilder,
        path::{Operation, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{
    actions, bots, canned_replies, desk, events, interactions, messages, offers, opt_outs, statistics, stream,
    supervisors, transfers, view,
};
use crate::wire::{
    ports::CHANNEL_PATH,
    problem::{MEDIA_TYPE, Problem},
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Aldis engine",
        description = "What agents use to serve one SMS channel. Every answer that is not 2xx is an RFC 9457 problem document; \
                       programs branch on its `type`. But for what is no request that HTTP knows, or has a longer head than 16 KiB or more \
                       than 48 fields: that is answered 400 or 431 without a body, and the connection ends. What stands before the engine \
                       (an ingress) answers in its own way.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        desk::me,
        desk::beat,
        actions::set_presence,
        interactions::interactions,
        desk::interaction,
        actions::start,
        actions::reply,
        actions::finish,
        actions::note,
        offers::accept,
        offers::decline,
        transfers::transfer,
        transfers::cancel,
        messages::of_customer,
        messages::message,
        messages::resend,
        bots::bot,
        supervisors::assign,
        supervisors::close,
        supervisors::agents,
        opt_outs::opt_outs,
        opt_outs::import,
        opt_outs::imports,
        desk::dispositions,
        canned_replies::canned_replies,
        desk::blocked_starts,
        statistics::statistics,
        statistics::agents,
        stream::stream,
        stream::ticket
    ),
    components(schemas(Problem, view::State, interactions::Order, stream::StreamOpened, stream::StreamBeat, stream::StreamEnded)),
    security(("bearer" = [])),
    modifiers(&Bearer, &OfChannel, &Problems)
)]
struct Document;

/// Tokens: those of the cluster with the audience `aldis-desk:<namespace>`, or of an issuer that the operator lists.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A token of a member of the campaign, audience `aldis-desk:<namespace>`"))
            .build();
        let ticket = ApiKeyValue::with_description("ticket", "A ticket of `POST …/stream-ticket`, for a stream only");
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        components.add_security_scheme("ticket", SecurityScheme::ApiKey(ApiKey::Query(ticket)));
    }
}

/// What all paths of a channel share: the parameter that names it, and the answer of an engine that does not hold it.
struct OfChannel;

impl Modify for OfChannel {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (_, item) in document.paths.paths.iter_mut().filter(|(path, _)| path.starts_with(CHANNEL_PATH)) {
            let parameter = ParameterBuilder::new()
                .name("channel")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("The SmsChannel's name; GET /v1/me lists yours"))
                .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
                .build();
            item.parameters.get_or_insert_default().push(RefOr::T(parameter));
            for operation in operations(item) {
                operation
                    .responses
                    .responses
                    .insert("421".into(), RefOr::T(Response::new("This engine does not hold the channel")));
            }
        }
    }
}

/// What every operation may answer, and the form of all answers that are not 2xx: problem documents.
struct Problems;

/// Of any operation.
const OF_ANY: [&str; 3] = ["401", "403", "503"];
/// Of one that is told something by path, query or head.
const OF_PARAMETERS: [&str; 1] = ["400"];
/// Of one that takes a body.
const OF_BODIES: [&str; 2] = ["408", "413"];

impl Modify for Problems {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let of_path = path.contains('{');
            for operation in operations(item) {
                let has_parameters = of_path || operation.parameters.is_some();
                let has_body = operation.request_body.is_some();
                let of_parameters = OF_PARAMETERS.iter().filter(|_| has_parameters);
                let of_bodies = OF_BODIES.iter().filter(|_| has_body);
                let responses = &mut operation.responses.responses;
                for status in OF_ANY.iter().chain(of_parameters).chain(of_bodies) {
                    responses.entry((*status).to_owned()).or_insert_with(|| RefOr::T(Response::new("")));
                }
                for (status, response) in responses.iter_mut().filter(|(status, _)| !status.starts_with('2')) {
                    if let RefOr::T(response) = response {
                        be_problem(status, response);
                    }
                }
            }
        }
    }
}

/// Its body is a problem document, and it says when to come back if that makes sense.
fn be_problem(status: &str, response: &mut Response) {
    if response.description.is_empty() {
        response.description = usual_meaning(status).into();
    }
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    response.content = [(MEDIA_TYPE.to_owned(), RefOr::T(content))].into();
    if status == "503" {
        let seconds = HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1))))
            .description(Some("Seconds after which to try again; absent when that may take long"))
            .build();
        response.headers.insert("Retry-After".into(), RefOr::T(seconds));
    }
}

/// What a status means where an operation does not say it.
fn usual_meaning(status: &str) -> &'static str {
    match status {
        "400" => "The request cannot be read, or its `Idempotency-Key` is missing or unfit",
        "401" => "The token is missing, or is not accepted",
        "403" => "The caller is no member of the campaign, or may not do this",
        "404" => "There is no such thing, or it is not open any more",
        "408" => "The body did not come in time",
        "409" => "It cannot be done as things are; the problem's `type` says why",
        "413" => "The body is larger than any that is taken",
        "422" => "A field has a value that it must not have; the problem names it",
        "503" => "The engine cannot answer right now; the same request may be sent again",
        _ => "",
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post].into_iter().flatten()
}

/// The document as it is served. Anybody may ask for it on as many connections as there are, so it is written once, and all answers share
/// its bytes.
static SERVED: LazyLock<Bytes> = LazyLock::new(|| openapi().to_string().into());

/// Answers `/openapi.json`.
pub(super) async fn served() -> ([(HeaderName, &'static str); 1], Bytes) {
    ([(header::CONTENT_TYPE, "application/json")], SERVED.clone())
}

/// The document, as it is checked in and served at `/openapi.json`.
pub(crate) fn openapi() -> serde_json::Value {
    // Made of strings and numbers only: it can always be written.
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    events::describe(&mut document);
    document
}

#[cfg(test)]
mod tests {
    use axum::{body::to_bytes, response::IntoResponse};

    use super::*;

    #[tokio::test]
    async fn all_answers_share_the_document() {
        let [first, second] = [served().await, served().await].map(IntoResponse::into_response);
        assert_eq!(first.headers()[header::CONTENT_TYPE], "application/json");
        let [first, second] = [first, second].map(|answer| to_bytes(answer.into_body(), usize::MAX));
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        assert_eq!(first.as_ptr(), second.as_ptr(), "what is sent is the same memory");
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&first).unwrap(), openapi());
    }

    #[test]
    fn every_path_and_every_field_is_described() {
        let document = openapi();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if method == "parameters" {
                    continue;
                }
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                let misdirected = &operation["responses"]["421"];
                assert_eq!(misdirected.is_null(), path == "/v1/me", "{method} {path}: {misdirected}");
                for (status, response) in operation["responses"].as_object().unwrap() {
                    let is_problem =
                        response["content"][MEDIA_TYPE]["schema"]["$ref"] == "#/components/schemas/Problem";
                    assert_eq!(is_problem, !status.starts_with('2'), "{method} {path}: {status} {response}");
                    let described = response["description"].as_str().is_some_and(|text| !text.is_empty());
                    assert!(described || status.starts_with('2'), "{method} {path}: {status}");
                }
            }
        }
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            for (field, property) in schema["properties"].as_object().into_iter().flatten() {
                let described = property["description"].is_string() || property["$ref"].is_string();
                assert!(described || !property["oneOf"].is_null(), "{name}.{field} has no description");
            }
        }
    }
}
