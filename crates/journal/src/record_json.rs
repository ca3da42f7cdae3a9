//! Writes records as JSON: the very bytes that `serde_json` writes, for less.
//!
//! A record is mostly short keys and short texts. `serde_json` looks at each of their bytes on its own, keys
//! too; this looks at eight at a time, and not at keys, which are names of Rust fields. Two records are written
//! for each decision that is paid for, so it shows. Floating-point numbers are left to `serde_json`, and a
//! property test holds this against it.

use std::fmt::Display;

use serde::ser::{Error as _, Serialize, Serializer};

/// Why a value has no JSON: as `serde_json` says it.
pub(crate) type Error = serde_json::Error;

/// Appends the JSON of `value` to `out`.
///
/// # Errors
/// If a key of a map is no text, or the value's own serialisation fails. What was written until
/// then stays.
pub(crate) fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), Error> {
    value.serialize(Json(out))
}

struct Json<'o>(&'o mut Vec<u8>);

/// A list or an object of which `is_begun` says whether something stands in it, and `end` what closes it.
struct Nested<'o> {
    out: &'o mut Vec<u8>,
    is_begun: bool,
    end: &'static [u8],
}

impl<'o> Nested<'o> {
    fn new(out: &'o mut Vec<u8>, begin: u8, end: &'static [u8]) -> Self {
        out.push(begin);
        Self {
            out,
            is_begun: false,
            end,
        }
    }

    /// An object or list that is the value of one variant's name.
    fn of_variant(out: &'o mut Vec<u8>, variant: &str, begin: u8, end: &'static [u8]) -> Self {
        out.push(b'{');
        key(out, variant);
        Self::new(out, begin, end)
    }

    fn separate(&mut self) {
        if self.is_begun {
            self.out.push(b',');
        }
        self.is_begun = true;
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.separate();
        write(self.out, value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        self.separate();
        key(self.out, name);
        write(self.out, value)
    }

    fn close(self) {
        self.out.extend_from_slice(self.end);
    }
}

/// A field's or a variant's name, which needs no escape, and the colon behind it.
fn key(out: &mut Vec<u8>, name: &str) {
    debug_assert!(plain_bytes(name.as_bytes()) == name.len(), "{name}");
    out.reserve(name.len() + 3);
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn text(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    out.reserve(rest.len() + 2);
    out.push(b'"');
    loop {
        let (plain, special) = rest.split_at(plain_bytes(rest));
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = special.split_first() else {
            break;
        };
        escape(out, byte);
        rest = behind;
    }
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        _ => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            let digits = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&digits);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// How many bytes stand before the first that needs an escape: a quote, a backslash, a control character.
fn plain_bytes(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    let whole = words.iter().take_while(|word| !has_special(word)).count() * 8;
    let of_rest = bytes[whole..].iter().position(|byte| is_special(*byte));
    of_rest.map_or(bytes.len(), |at| whole + at)
}

const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Whether one of eight bytes is special: "haszero" and "hasless" of Sean Eron Anderson's Bit Twiddling Hacks.
const fn has_special(word: &[u8; 8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = EACH << 7;
    const QUOTES: u64 = EACH * b'"' as u64;
    const BACKSLASHES: u64 = EACH * b'\\' as u64;
    const fn zero(word: u64) -> u64 {
        word.wrapping_sub(EACH) & !word
    }
    let word = u64::from_le_bytes(*word);
    let control = word.wrapping_sub(EACH * 0x20) & !word;
    (control | zero(word ^ QUOTES) | zero(word ^ BACKSLASHES)) & HIGH != 0
}

macro_rules! whole_numbers {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, value: $type) -> Result<(), Error> {
            self.0.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            Ok(())
        })*
    };
}

impl<'o> Serializer for Json<'o> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Nested<'o>;
    type SerializeTuple = Nested<'o>;
    type SerializeTupleStruct = Nested<'o>;
    type SerializeTupleVariant = Nested<'o>;
    type SerializeMap = Nested<'o>;
    type SerializeStruct = Nested<'o>;
    type SerializeStructVariant = Nested<'o>;

    whole_numbers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        let word: &[u8] = if value { b"true" } else { b"false" };
        self.0.extend_from_slice(word);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        serde_json::to_writer(self.0, &value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        serde_json::to_writer(self.0, &value)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        text(self.0, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut object = Nested::new(self.0, b'{', b"}");
        object.field(variant, value)?;
        object.close();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Nested<'o>, Error> {
        Ok(Nested::new(self.0, b'[', b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Nested<'o>, Error> {
        Ok(Nested::new(self.0, b'[', b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Nested<'o>, Error> {
        Ok(Nested::new(self.0, b'[', b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Nested<'o>, Error> {
        Ok(Nested::of_variant(self.0, variant, b'[', b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Nested<'o>, Error> {
        Ok(Nested::new(self.0, b'{', b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Nested<'o>, Error> {
        Ok(Nested::new(self.0, b'{', b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Nested<'o>, Error> {
        Ok(Nested::of_variant(self.0, variant, b'{', b"}}"))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.serialize_str(&value.to_string())
    }
}

macro_rules! lists {
    ($($trait:ident::$method:ident),* $(,)?) => {
        $(impl serde::ser::$trait for Nested<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        })*
    };
}

lists! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

macro_rules! objects {
    ($($trait:ident),* $(,)?) => {
        $(impl serde::ser::$trait for Nested<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        })*
    };
}

objects! { SerializeStruct, SerializeStructVariant }

impl serde::ser::SerializeMap for Nested<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, name: &T) -> Result<(), Error> {
        self.separate();
        let begin = self.out.len();
        write(self.out, name)?;
        if self.out.get(begin) != Some(&b'"') {
            return Err(Error::custom("a key of a map in a record must be a text"));
        }
        self.out.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        write(self.out, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Serialize;
    use serde_json::{Value, json};

    use super::*;

    fn written<T: Serialize + ?Sized>(value: &T) -> String {
        let mut out = Vec::new();
        write(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn values() -> impl Strategy<Value = Value> {
        let texts = || prop_oneof!["[a-z]{0,20}", ".{0,12}", "[\\x00-\\x7f]{0,40}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            texts().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::vec((texts(), inner), 0..8)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_is_written_as_serde_json_writes_it(value in values()) {
            prop_assert_eq!(written(&value), serde_json::to_string(&value).unwrap());
        }

        #[test]
        fn any_number_and_text_is_written_as_serde_json_writes_it(
            (number, small, single) in (any::<f64>(), any::<f32>(), any::<char>()),
            (large, text) in (any::<i128>(), any::<String>()),
        ) {
            let all = (number, small, single, large, text, Some(()), None::<u8>);
            prop_assert_eq!(written(&all), serde_json::to_string(&all).unwrap());
        }
    }

    #[test]
    fn every_special_byte_is_escaped_wherever_it_stands() {
        for byte in 0..=127_u8 {
            for at in 0..17 {
                let mut text = vec![b'x'; 17];
                text[at] = byte;
                let text = String::from_utf8(text).unwrap();
                assert_eq!(written(&text), serde_json::to_string(&text).unwrap());
            }
        }
    }

    #[test]
    fn every_shape_of_a_type_is_written_as_serde_json_writes_it() {
        #[derive(Serialize)]
        struct Unit;
        #[derive(Serialize)]
        struct Pair(u8, i16);
        #[derive(Serialize)]
        enum Shape {
            Unit,
            One(Unit),
            Two(u32, bool),
            Named {
                one: Pair,
                two: Option<&'static str>,
            },
        }
        let shapes = [
            Shape::Unit,
            Shape::One(Unit),
            Shape::Two(3, true),
            Shape::Named {
                one: Pair(1, -1),
                two: None,
            },
        ];
        assert_eq!(written(&shapes), serde_json::to_string(&shapes).unwrap());
        assert_eq!(written(&json!({"a": []})), r#"{"a":[]}"#);
    }

    #[test]
    fn a_map_whose_keys_are_no_texts_is_refused() {
        let map = BTreeMap::from([(1, 2)]);
        let error = write(&mut Vec::new(), &map).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a key of a map in a record must be a text"
        );
    }
}
