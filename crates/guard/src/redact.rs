//! The shape of a payload without its texts.
//!
//! What is kept of a redacted payload is enough to watch drift and to see what was asked for, and
//! not enough to know about whom: numbers, truths and keys stay, and of a text its length.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// `value` with every text replaced by its length in characters: `"‹text: 12 chars›"`.
pub fn redact_shape(value: &Value) -> Value {
    redact_shape_except(value, &|_, _| false)
}

/// Like [`redact_shape`], but keeps each text of which `keep` says so; it is given the key of the
/// member that the text stands in (empty for the top level, the array's key for items) and the text.
pub fn redact_shape_except(value: &Value, keep: &dyn Fn(&str, &str) -> bool) -> Value {
    redact(value, "", keep)
}

/// A value's redacted shape, for writing it out without making it first.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'v>(pub &'v Value);

impl Serialize for Shape<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) => {
                serializer.collect_str(&format_args!("‹text: {} chars›", text.chars().count()))
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Shape)),
            Value::Object(members) => {
                serializer.collect_map(members.iter().map(|(key, value)| (key, Shape(value))))
            }
            other => other.serialize(serializer),
        }
    }
}

/// The shape of a JSON text, written without a value made of it: the same bytes as [`Shape`] of the parsed
/// text. None if it is no JSON.
pub fn shape_of_json(json: &[u8]) -> Option<Vec<u8>> {
    let mut written = Vec::with_capacity(json.len().min(SHAPE_BYTES));
    let mut reader = serde_json::Deserializer::from_slice(json);
    Shaping(&mut written).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(written)
}

/// The room made at first for a shape: those of most requests fit.
const SHAPE_BYTES: usize = 1024;

/// Writes the shape of what is read.
struct Shaping<'w>(&'w mut Vec<u8>);

impl Shaping<'_> {
    fn write<T: Serialize + ?Sized, E: serde::de::Error>(self, value: &T) -> Result<(), E> {
        serde_json::to_writer(self.0, value).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Shaping<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shaping<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("json")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.write(&())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.0.extend_from_slice("\"‹text: ".as_bytes());
        serde_json::to_writer(&mut *self.0, &text.chars().count()).map_err(E::custom)?;
        self.0.extend_from_slice(" chars›\"".as_bytes());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.push(b'[');
        let first = self.0.len();
        loop {
            let before = self.0.len();
            if before > first {
                self.0.push(b',');
            }
            if items.next_element_seed(Shaping(self.0))?.is_none() {
                self.0.truncate(before);
                break;
            }
        }
        self.0.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.0.push(b'{');
        let first = self.0.len();
        while let Some(key) = members.next_key_seed(Name)? {
            if self.0.len() > first {
                self.0.push(b',');
            }
            Shaping(self.0).write(&key)?;
            self.0.push(b':');
            members.next_value_seed(Shaping(self.0))?;
        }
        self.0.push(b'}');
        Ok(())
    }
}

/// Reads a member's name, in place where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

fn redact(value: &Value, key: &str, keep: &dyn Fn(&str, &str) -> bool) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) if keep(key, text) => value.clone(),
        Value::String(text) => Value::String(format!("‹text: {} chars›", text.chars().count())),
        Value::Array(items) => items.iter().map(|item| redact(item, key, keep)).collect(),
        Value::Object(members) => {
            let members = members.iter();
            let redacted = members.map(|(key, value)| (key.clone(), redact(value, key, keep)));
            Value::Object(redacted.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_shape_is_the_same_whether_it_is_of_a_value_or_of_its_bytes(value in any_value()) {
            let text = serde_json::to_vec(&value).unwrap();
            let of_value = serde_json::to_vec(&Shape(&value)).unwrap();
            prop_assert_eq!(shape_of_json(&text), Some(of_value));
        }
    }

    #[test]
    fn what_is_no_json_has_no_shape() {
        for text in ["", "{", "[1,]", "{} 1", "nope"] {
            assert_eq!(shape_of_json(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn texts_go_and_everything_else_stays() {
        let payload = json!({"name": "Zoë", "age": 41, "ok": true, "none": null, "tags": ["a", 1]});
        let redacted = json!({
            "name": "‹text: 3 chars›", "age": 41, "ok": true, "none": null,
            "tags": ["‹text: 1 chars›", 1],
        });
        assert_eq!(redact_shape(&payload), redacted);
        assert_eq!(redact_shape(&json!("")), json!("‹text: 0 chars›"));
        assert_eq!(serde_json::to_value(Shape(&payload)).unwrap(), redacted);
    }

    #[test]
    fn a_known_category_may_stay() {
        let payload = json!({"country": "DE", "city": "DE"});
        let redacted = redact_shape_except(&payload, &|key, text| key == "country" && text == "DE");
        assert_eq!(
            redacted,
            json!({"country": "DE", "city": "‹text: 2 chars›"})
        );
    }
}
