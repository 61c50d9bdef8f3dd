//! The agents' interface as an OpenAPI document.

use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use super::{actions, desk, stream, view};
use crate::wire::problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Aldis engine",
        description = "What agents use to serve one SMS channel. Every answer that is not 2xx is an RFC 9457 problem document; \
                       programs branch on its `type`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        desk::me,
        actions::set_presence,
        desk::interactions,
        desk::interaction,
        actions::start,
        actions::reply,
        actions::finish,
        actions::note,
        actions::accept,
        actions::decline,
        actions::transfer,
        desk::messages,
        desk::statistics,
        stream::stream
    ),
    components(schemas(Problem, view::State)),
    security(("bearer" = [])),
    modifiers(&Bearer)
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
        document.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The document, as it is checked in and served at `/openapi.json`.
pub fn openapi() -> serde_json::Value {
    // Made of strings and numbers only: it can always be written.
    serde_json::to_value(Document::openapi()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_and_every_field_is_described() {
        let document = openapi();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
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
