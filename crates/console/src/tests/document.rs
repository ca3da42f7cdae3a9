//! The `OpenAPI` document and the table of codes.

use plimsoll_core::Code;
use serde_json::json;

use crate::*;

#[test]
fn the_document_describes_every_route_and_refers_to_nothing_that_is_missing() {
    let document = openapi();
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.to_lowercase()];
        assert_eq!(operation["operationId"], route.operation);
        let is_open = operation["security"] == json!([]);
        assert_eq!(is_open, route.open, "{}", route.path);
        if !route.open {
            assert_eq!(operation["x-plimsoll-roles"], json!(route.roles));
        }
        let in_path = route.path.matches('{').count();
        let declared = route
            .parameters
            .iter()
            .filter(|p| p.place == Place::Path)
            .count();
        assert_eq!(in_path, declared, "{}", route.path);
    }
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
    for name in schemas.keys() {
        let reference = format!("#/components/schemas/{name}\"");
        assert!(text.contains(&reference), "nothing refers to {name}");
    }
}

#[test]
fn own_codes_are_not_in_the_table_of_codes() {
    for own in OWN_CODES {
        assert_eq!(Code::parse(own.code), None, "{}", own.code);
    }
}
