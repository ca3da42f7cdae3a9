//! Credentials that a `curl` command carries: `-u user:password` and headers that authorise.
//!
//! The command's words are split as a shell would, quotes and continued lines included, within
//! [`COMMAND_BYTES_MAX`] bytes behind the command's name.

use std::ops::Range;

use memchr::memmem;

use super::{checks, is_word};

/// How far behind its name a command's words are looked at.
const COMMAND_BYTES_MAX: usize = 2048;

/// A credential is at least so long; shorter ones are placeholders.
const CREDENTIAL_BYTES_MIN: usize = 3;

/// Where credentials stand in the commands of `text`.
pub(super) fn credentials(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut done = 0;
    for at in memmem::find_iter(bytes, "curl") {
        let is_command = at >= done
            && (at == 0 || !is_word(bytes[at - 1]))
            && bytes.get(at + 4).is_none_or(|&byte| !is_word(byte));
        if is_command {
            let until = bytes.len().min(at + COMMAND_BYTES_MAX);
            let words = Words {
                bytes,
                at: at + 4,
                until,
            }
            .collect::<Vec<_>>();
            found.extend(in_command(bytes, &words));
            // The next command begins behind this one's words, so that no byte is split twice.
            done = words.last().map_or(at + 4, |word| word.end);
        }
    }
    found
}

fn in_command(bytes: &[u8], words: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let text = &bytes[word.clone()];
        let (option, argument) = match text.iter().position(|&byte| byte == b'=') {
            Some(at) if text.starts_with(b"--") => {
                (&text[..at], Some(word.start + at + 1..word.end))
            }
            _ => (text, words.get(index + 1).cloned()),
        };
        let Some(argument) = argument else { continue };
        let is_combined = option.len() > 1 && option[0] == b'-' && option[1] != b'-';
        if option == b"--user" || (is_combined && option.ends_with(b"u")) {
            found.extend(password(bytes, argument));
        } else if option == b"--header" || (is_combined && option.ends_with(b"H")) {
            found.extend(header_value(bytes, argument));
        }
    }
    found
}

/// The password of `user:password`, or the token that stands alone on one side.
fn password(bytes: &[u8], word: Range<usize>) -> Option<Range<usize>> {
    let inside = unquoted(bytes, word);
    let text = &bytes[inside.clone()];
    if is_placeholder(text) {
        return None;
    }
    let colon = text.iter().position(|&byte| byte == b':')?;
    let user = unquoted(bytes, inside.start..inside.start + colon);
    let password = unquoted(bytes, inside.start + colon + 1..inside.end);
    let secret = if password.is_empty() { user } else { password };
    let said = &bytes[secret.clone()];
    let is_secret =
        said.len() >= CREDENTIAL_BYTES_MIN && !is_placeholder(said) && checks::entropy(said) >= 2.0;
    is_secret.then_some(secret)
}

/// The value of a header that authorises: `Authorization`, or a name that ends in key or token.
fn header_value(bytes: &[u8], word: Range<usize>) -> Option<Range<usize>> {
    let inside = unquoted(bytes, word);
    let text = &bytes[inside.clone()];
    let colon = text.iter().position(|&byte| byte == b':')?;
    let name = text[..colon].trim_ascii().to_ascii_lowercase();
    let authorises = name == b"authorization" || name.ends_with(b"key") || name.ends_with(b"token");
    if !authorises {
        return None;
    }
    let mut start = inside.start + colon + 1;
    start += bytes[start..inside.end]
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count();
    let value = &bytes[start..inside.end];
    if let Some(blank) = value.iter().position(|&byte| byte == b' ') {
        let scheme = value[..blank].to_ascii_lowercase();
        let is_scheme = [&b"basic"[..], b"bearer", b"token", b"api-token", b"apikey"]
            .contains(&scheme.as_slice());
        start += if is_scheme { blank + 1 } else { 0 };
    }
    let secret = start..inside.end;
    let said = bytes[secret.clone()].trim_ascii();
    let fits = |byte: &u8| is_word(*byte) || b"=~@.+/-".contains(byte);
    let is_secret = said.len() >= 8
        && said.iter().all(fits)
        && !is_placeholder(said)
        && checks::entropy(said) >= 2.75;
    is_secret.then_some(secret)
}

/// Whether a text stands for a secret rather than being one: `$PASSWORD`, `<token>`, `changeme`, `***`.
fn is_placeholder(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    let words: [&[u8]; 12] = [
        b"changeme",
        b"changeit",
        b"password",
        b"passwd",
        b"pass",
        b"pwd",
        b"secret",
        b"test",
        b"token",
        b"api_key",
        b"apikey",
        b"your_password",
    ];
    let marks = b"$<[*%";
    words.contains(&lower.as_slice())
        || lower.iter().all(|byte| b"x*.".contains(byte))
        || text.first().is_some_and(|byte| marks.contains(byte))
        || text.starts_with(b"{{")
}

/// The inside of a word that stands wholly in quotes.
fn unquoted(bytes: &[u8], word: Range<usize>) -> Range<usize> {
    match &bytes[word.clone()] {
        [first @ (b'"' | b'\''), .., last] if first == last => word.start + 1..word.end - 1,
        _ => word,
    }
}

/// The words of a command, by where they stand.
struct Words<'t> {
    bytes: &'t [u8],
    at: usize,
    until: usize,
}

impl Iterator for Words<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        self.skip_blanks();
        let start = self.at;
        let mut quote = None;
        while self.at < self.until {
            let byte = self.bytes[self.at];
            match quote {
                Some(open) if byte == open => quote = None,
                Some(b'"') if byte == b'\\' => self.at += 1,
                Some(_) => {}
                None if byte == b'"' || byte == b'\'' => quote = Some(byte),
                None if byte == b'\\' => self.at += 1,
                None if byte.is_ascii_whitespace() => break,
                None => {}
            }
            self.at += 1;
        }
        self.at = self.at.min(self.until);
        (start < self.at).then_some(start..self.at)
    }
}

impl Words<'_> {
    /// Goes on to the next word: over blanks, and over the end of a line that is continued or followed by options.
    fn skip_blanks(&mut self) {
        while self.at < self.until {
            match self.bytes[self.at] {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                b'\\' if matches!(self.bytes.get(self.at + 1), Some(b'\n' | b'\r')) => self.at += 2,
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        credentials(text)
            .into_iter()
            .map(|span| &text[span])
            .collect()
    }

    #[test]
    fn passwords_and_authorising_headers_are_found() {
        assert_eq!(
            found("curl -k -X POST https://h/x \\\n  -u dev:yqDVtkqPECr"),
            ["yqDVtkqPECr"]
        );
        assert_eq!(
            found("curl -u \":d2LkV78zLx!t\" https://localhost"),
            ["d2LkV78zLx!t"]
        );
        assert_eq!(
            found("curl --user kevin:'pRf7vG2h' -iX PATCH"),
            ["pRf7vG2h"]
        );
        assert_eq!(
            found(
                "curl -H \"Authorization: Bearer cfcabd11c7ed9a41\" -H 'X-Api-Key: 3a16750d-d363'"
            ),
            ["cfcabd11c7ed9a41", "3a16750d-d363"]
        );
    }

    #[test]
    fn placeholders_are_none() {
        for harmless in [
            "curl -i -u 'test:test'",
            "curl -u <user:password> https://h",
            "curl -u \"${_user}:${_pass}\"",
            "curl -u username:token",
            "curl -H \"apikey: $API_KEY\" -H \"Accept: json\"",
            "curl -H \"Authorization: Token **********\"",
            "curling is a sport -u user:secretpassword",
        ] {
            assert_eq!(found(harmless), Vec::<&str>::new(), "{harmless}");
        }
    }
}
