//! The names of a classifier's classes, read from the model's file.
//!
//! A model whose probabilities are a plain tensor does not say which column is which class; the
//! operator that made them does, in its attributes. Only these are read, straight from the protocol
//! buffers' wire format (three levels deep: model, graph, node), without trusting any length.

use serde_json::Value;

/// The attributes of `LinearClassifier`, `TreeEnsembleClassifier`, `SVMClassifier` and `ZipMap`.
const NAMES: [&[u8]; 3] = [
    b"classlabels_strings",
    b"classlabels_int64s",
    b"classlabels_ints",
];

/// Each list of classes in the model's graph, in the order of its nodes. Bytes that are no model
/// have none.
pub(super) fn of(model: &[u8]) -> Vec<Vec<Value>> {
    let graphs = Fields(model).bytes(7);
    let nodes = graphs.flat_map(|graph| Fields(graph).bytes(1));
    let attributes = nodes.flat_map(|node| Fields(node).bytes(5));
    attributes
        .filter_map(list)
        .filter(|list| !list.is_empty())
        .collect()
}

fn list(attribute: &[u8]) -> Option<Vec<Value>> {
    let name = Fields(attribute).bytes(1).next()?;
    if !NAMES.contains(&name) {
        return None;
    }
    let mut classes = Vec::new();
    for (number, field) in Fields(attribute) {
        match (number, field) {
            (9, Field::Bytes(text)) => classes.push(std::str::from_utf8(text).ok()?.into()),
            (8, Field::Varint(value)) => classes.push(value.cast_signed().into()),
            (8, Field::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    classes.push(varint(&mut packed)?.cast_signed().into());
                }
            }
            _ => {}
        }
    }
    Some(classes)
}

/// The fields of a message. Ends at its end, or where it is no message.
struct Fields<'a>(&'a [u8]);

enum Field<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

impl<'a> Fields<'a> {
    fn bytes(self, wanted: u64) -> impl Iterator<Item = &'a [u8]> {
        self.filter_map(move |(number, field)| match field {
            Field::Bytes(bytes) if number == wanted => Some(bytes),
            _ => None,
        })
    }

    fn read(&mut self) -> Option<(u64, Field<'a>)> {
        let key = varint(&mut self.0)?;
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut self.0)?),
            1 => self.fixed(8)?,
            2 => {
                let length = usize::try_from(varint(&mut self.0)?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            5 => self.fixed(4)?,
            _ => return None,
        };
        Some((key >> 3, field))
    }

    fn fixed(&mut self, length: usize) -> Option<Field<'a>> {
        self.take(length).map(|_| Field::Fixed)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Field<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let field = self.read();
        if field.is_none() {
            self.0 = &[];
        }
        field
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const TEXTS: &[u8] = include_bytes!("../../tests/fixtures/onnx/forest_plain_text.onnx");
    const NUMBERS: &[u8] = include_bytes!("../../tests/fixtures/onnx/tensor_zipmap_int.onnx");
    const NONE: &[u8] = include_bytes!("../../tests/fixtures/onnx/regression.onnx");

    #[test]
    fn classes_are_read_as_texts_and_as_numbers() {
        assert_eq!(json!(of(TEXTS)), json!([["high", "low", "middle"]]));
        assert_eq!(json!(of(NUMBERS)), json!([[0, 1], [0, 1]]));
        assert!(of(NONE).is_empty());
    }

    #[test]
    fn a_file_that_is_cut_off_anywhere_has_no_classes_that_it_did_not_have() {
        for end in 0..NUMBERS.len() {
            for list in of(&NUMBERS[..end]) {
                assert!(list.len() <= 2);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            of(&bytes);
        }

        #[test]
        fn no_damage_is_too_odd(at in 0..TEXTS.len(), byte in any::<u8>()) {
            let mut model = TEXTS.to_vec();
            model[at] = byte;
            of(&model);
        }
    }
}
