//! Server-sent events (WHATWG HTML, section 9.2), cut out of bytes as they arrive.
//!
//! Each event keeps its exact bytes, so that what passes can pass unchanged; its data is a slice of
//! them. Invariants: concatenated, the events' bytes are the input; any way of cutting the input into
//! chunks gives the same events; no byte is looked at twice; one event has a bounded size.

use bytes::{Bytes, BytesMut};

/// One event: all bytes up to and including the blank line that ends it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SseEvent {
    /// The exact bytes.
    pub(crate) raw: Bytes,
    /// The `data` lines joined by line feeds; `None` for comments and blank lines alone.
    pub(crate) data: Option<Bytes>,
}

/// An event that is larger than the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EventTooLarge;

/// Cuts events out of a stream of bytes.
#[derive(Debug)]
pub(crate) struct SseParser {
    buffer: BytesMut,
    /// Up to where line ends were looked for.
    scanned: usize,
    /// Where the line that is being scanned begins.
    line_start: usize,
    event_bytes_max: usize,
}

impl SseParser {
    pub(crate) fn new(event_bytes_max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            scanned: 0,
            line_start: 0,
            event_bytes_max,
        }
    }

    /// Takes in the next bytes.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        if self.buffer.is_empty() {
            // The common case, a chunk of whole events: no byte is copied if nobody else holds it.
            self.buffer = BytesMut::from(bytes);
        } else {
            self.buffer.extend_from_slice(&bytes);
        }
    }

    /// The next whole event, if its bytes are here.
    ///
    /// # Errors
    /// If an event is larger than the limit.
    pub(crate) fn next(&mut self) -> Result<Option<SseEvent>, EventTooLarge> {
        while let Some(end) = self.line_end() {
            let is_blank = self.scanned == self.line_start;
            self.scanned = end;
            self.line_start = end;
            if end > self.event_bytes_max {
                return Err(EventTooLarge);
            }
            if is_blank {
                return Ok(Some(self.cut(end)));
            }
        }
        if self.buffer.len() > self.event_bytes_max {
            return Err(EventTooLarge);
        }
        Ok(None)
    }

    /// What is left when the stream ends: an event without its blank line, if anything.
    pub(crate) fn finish(&mut self) -> Option<SseEvent> {
        let end = self.buffer.len();
        (end > 0).then(|| self.cut(end))
    }

    /// Moves `scanned` to the end of the line's text and gives where the next line begins; `None` if
    /// that cannot be known yet.
    fn line_end(&mut self) -> Option<usize> {
        let rest = &self.buffer[self.scanned..];
        let Some(length) = rest.iter().position(|b| matches!(b, b'\n' | b'\r')) else {
            self.scanned = self.buffer.len();
            return None;
        };
        self.scanned += length;
        match (rest[length], rest.get(length + 1)) {
            (b'\n', _) => Some(self.scanned + 1),
            // A line feed may follow that belongs to this carriage return.
            (_, None) => None,
            (_, Some(b'\n')) => Some(self.scanned + 2),
            (_, Some(_)) => Some(self.scanned + 1),
        }
    }

    fn cut(&mut self, end: usize) -> SseEvent {
        self.scanned = 0;
        self.line_start = 0;
        let raw = self.buffer.split_to(end).freeze();
        let data = data(&raw);
        SseEvent { raw, data }
    }
}

fn data(raw: &Bytes) -> Option<Bytes> {
    let text = raw.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(raw);
    let lines = text.split(|b| matches!(b, b'\n' | b'\r'));
    let mut found = lines.filter_map(|line| {
        let value = line.strip_prefix(b"data")?;
        if value.is_empty() {
            return Some(value);
        }
        let value = value.strip_prefix(b":")?;
        Some(value.strip_prefix(b" ").unwrap_or(value))
    });
    let first = found.next()?;
    let Some(second) = found.next() else {
        return Some(raw.slice_ref(first));
    };
    let mut joined = first.to_vec();
    for line in std::iter::once(second).chain(found) {
        joined.push(b'\n');
        joined.extend_from_slice(line);
    }
    Some(joined.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(chunks: &[&[u8]]) -> Vec<SseEvent> {
        let mut parser = SseParser::new(1 << 20);
        let mut events = Vec::new();
        for chunk in chunks {
            parser.push(Bytes::copy_from_slice(chunk));
            while let Some(event) = parser.next().unwrap() {
                events.push(event);
            }
        }
        events.extend(parser.finish());
        events
    }

    fn data_of(input: &str) -> Vec<Option<String>> {
        let text = |event: SseEvent| event.data.map(|d| String::from_utf8(d.to_vec()).unwrap());
        events(&[input.as_bytes()]).into_iter().map(text).collect()
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    #[test]
    fn events_are_read_with_every_kind_of_line_end() {
        for end in ["\n", "\r\n", "\r"] {
            let input = format!("data: a{end}{end}data:b{end}data: c{end}{end}");
            assert_eq!(data_of(&input), some(&["a", "b\nc"]), "{end:?}");
        }
    }

    #[test]
    fn comments_blank_lines_and_other_fields_are_no_data() {
        assert_eq!(data_of(": keep-alive\n\n\n"), [None, None]);
        assert_eq!(
            data_of("event: x\nid: 1\ndata: {}\n: note\n\n"),
            some(&["{}"])
        );
        assert_eq!(data_of("database: no\n\n"), [None]);
        assert_eq!(data_of("data\n\n"), some(&[""]));
        assert_eq!(data_of("\u{feff}data: a\n\n"), some(&["a"]));
    }

    #[test]
    fn an_event_without_its_blank_line_is_told_at_the_end() {
        assert_eq!(data_of("data: a\n\ndata: [DONE]"), some(&["a", "[DONE]"]));
        assert_eq!(data_of("data: [DONE]\n"), some(&["[DONE]"]));
        assert_eq!(data_of(""), []);
    }

    #[test]
    fn an_event_larger_than_the_limit_is_an_error() {
        let mut parser = SseParser::new(10);
        parser.push(Bytes::from_static(b"data: a\n\n"));
        assert!(parser.next().unwrap().is_some());
        parser.push(Bytes::from_static(b"data: abcdefgh"));
        assert_eq!(parser.next(), Err(EventTooLarge));
        let mut parser = SseParser::new(10);
        parser.push(Bytes::from_static(b"data: abcdefgh\n\n"));
        assert_eq!(parser.next(), Err(EventTooLarge));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_way_of_cutting_gives_the_same_events(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "data: ", "data:", "data", "a", "{\"b\":1}", "é", ":", "event: x", "\n", "\n",
                    "\r\n", "\r", "\u{feff}", "[DONE]",
                ]),
                0..40,
            ),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let input = pieces.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
            cuts.extend([0, input.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &input[w[0]..w[1]]).collect();
            let whole = events(&[&input]);
            prop_assert_eq!(&events(&chunks), &whole);
            let raw: Vec<u8> = whole.iter().flat_map(|event| event.raw.to_vec()).collect();
            prop_assert_eq!(raw, input);
        }
    }
}
