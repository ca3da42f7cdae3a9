//! Small files of two lines: a title with a version and a checksum, and JSON.

/// The file of `json`, which has no newline; `title` ends with a space.
pub(crate) fn to_text(title: &str, json: &str) -> String {
    let checksum = crc32c::crc32c(json.as_bytes());
    format!("{title}{checksum:08x}\n{json}\n")
}

/// The JSON of [`to_text`]; `None` if anything is not as it was written.
pub(crate) fn parse<'a>(title: &str, text: &'a str) -> Option<&'a str> {
    let (first, json) = text.split_once('\n')?;
    let json = json.strip_suffix('\n')?;
    let checksum = u32::from_str_radix(first.strip_prefix(title)?, 16).ok()?;
    (checksum == crc32c::crc32c(json.as_bytes())).then_some(json)
}
