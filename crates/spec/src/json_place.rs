//! Where in a JSON text a value stands, so that a problem with a schema can show its line.

use crate::source::Span;

/// The place of the value that the JSON Pointer (RFC 6901) `pointer` names; for a member, the place
/// of its key. `text` is valid JSON; nothing if there is no such value.
pub(crate) fn place(text: &str, pointer: &str) -> Option<Span> {
    let mut at = Cursor {
        bytes: text.as_bytes(),
        at: 0,
    };
    let mut shown: Option<Span> = None;
    at.skip_space();
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        shown = Some(at.descend(&token)?);
    }
    match shown {
        Some(span) => Some(span),
        None => Some(at.at..at.at + 1),
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(
            self.peek(),
            Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b':')
        ) {
            self.at += 1;
        }
    }

    /// From an object or array to the value under `token`; says where its key, or itself, stands.
    fn descend(&mut self, token: &str) -> Option<Span> {
        let is_object = match self.peek()? {
            b'{' => true,
            b'[' => false,
            _ => return None,
        };
        self.at += 1;
        let mut index = 0_usize;
        loop {
            self.skip_space();
            if matches!(self.peek()?, b'}' | b']') {
                return None;
            }
            let start = self.at;
            if is_object {
                self.skip_value()?;
                let key = start..self.at;
                self.skip_space();
                let text = std::str::from_utf8(self.bytes.get(key.clone())?).ok()?;
                if serde_json::from_str::<String>(text).ok()? == token {
                    return Some(key);
                }
            } else if token.parse() == Ok(index) {
                return Some(start..start + 1);
            }
            self.skip_value()?;
            index += 1;
        }
    }

    /// Past the value that begins here, without recursion.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                _ => {
                    while self.peek().is_some_and(|byte| {
                        !matches!(
                            byte,
                            b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'
                        )
                    }) {
                        self.at += 1;
                    }
                }
            }
            if depth == 0 {
                return Some(());
            }
            self.skip_space();
        }
    }

    fn skip_string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.peek()? {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                _ => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pointer_leads_to_the_key_of_its_member() {
        let text = r#"{"a": [1, {"x/y": "}\"{", "b": true}], "b" : {"c": null}}"#;
        let shown = |pointer| place(text, pointer).map(|span| &text[span]);
        assert_eq!(shown("/a/1/b"), Some("\"b\""));
        assert_eq!(shown("/a/1/x~1y"), Some("\"x/y\""));
        assert_eq!(shown("/b/c"), Some("\"c\""));
        assert_eq!(shown(""), Some("{"));
        assert_eq!(shown("/a/2"), None);
        assert_eq!(shown("/nothing"), None);
    }

    proptest! {
        #[test]
        fn any_text_and_pointer_end(text in "[\\[\\]{}\",:a1 \\\\]{0,40}", pointer in "(/[a1]){0,4}") {
            let place = std::panic::catch_unwind(|| place(&text, &pointer));
            prop_assert!(place.is_ok());
        }
    }
}
