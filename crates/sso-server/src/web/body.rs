//! What scripts and back ends send.

use std::fmt;

use actix_web::{
    HttpRequest,
    http::{StatusCode, header},
    web,
};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{answer::ApiFailure, request::header_text};

/// The body's fields: JSON if it says so, else form-encoded. A field may come once.
pub(super) fn fields(
    request: &HttpRequest,
    body: Result<web::Bytes, actix_web::Error>,
) -> Result<Map<String, Value>, ApiFailure> {
    let body = body.map_err(|error| {
        let status = error.as_response_error().status_code();
        ApiFailure::new(status, format!("Cannot read the body: {error}"))
    })?;
    let bad = |what: String| ApiFailure::new(StatusCode::BAD_REQUEST, what);
    let content_type = header_text(request, header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    if content_type.starts_with("application/json") {
        return serde_json::from_slice(&body)
            .map(|UniqueKeys(map)| map)
            .map_err(|error| bad(format!("Expected a JSON object: {error}")));
    }
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(&body) {
        if fields.insert(name.clone().into_owned(), Value::String(value.into_owned())).is_some() {
            return Err(bad(format!("The parameter '{name}' is given twice")));
        }
    }
    Ok(fields)
}

/// A JSON object in which no key comes twice: two readers could choose differently.
struct UniqueKeys(Map<String, Value>);

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueKeysVisitor)
    }
}

struct UniqueKeysVisitor;

impl<'de> Visitor<'de> for UniqueKeysVisitor {
    type Value = UniqueKeys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<UniqueKeys, A::Error> {
        let mut map = Map::new();
        while let Some((key, value)) = entries.next_entry::<String, Value>()? {
            if map.insert(key.clone(), value).is_some() {
                return Err(de::Error::custom(format_args!("the key `{key}` is given twice")));
            }
        }
        Ok(UniqueKeys(map))
    }
}

/// A field that is text, if it is there.
pub(super) fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, ApiFailure> {
    match fields.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ApiFailure::new(StatusCode::BAD_REQUEST, format!("Invalid '{name}' parameter"))),
    }
}

/// The same of one that must be there.
pub(super) fn required(fields: &mut Map<String, Value>, name: &str) -> Result<String, ApiFailure> {
    let missing = || ApiFailure::new(StatusCode::BAD_REQUEST, format!("Missing '{name}' parameter"));
    text(fields, name)?.ok_or_else(missing)
}
