//! The files of a workspace: found within its folder and nowhere else, read with a bound.

use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::forms::TableForm;
use crate::forms::check::Checker;
use crate::forms::view::{Found, View};
use crate::source::{Report, Source, Span, nearest};

/// The largest text file of a workspace, in bytes.
pub(crate) const TEXT_BYTES_MAX: u64 = 16 << 20;

/// The largest model file, in bytes: the most that an ONNX file (a protocol buffer) can be.
pub(crate) const MODEL_BYTES_MAX: u64 = 2 << 30;

/// The workspace's folder.
#[derive(Debug)]
pub(crate) struct Files {
    /// Absolute, without symbolic links.
    pub(crate) root: PathBuf,
}

/// A file that was found: where it is, and how people call it.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    pub(crate) path: PathBuf,
    /// Relative to the workspace's folder, with `/`.
    pub(crate) name: String,
}

impl Files {
    /// How people call a path within the folder.
    pub(crate) fn name(&self, path: &Path) -> String {
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        let parts: Vec<_> = relative
            .components()
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        parts.join("/")
    }

    /// Finds the file that `view` names under `key`, relative to `folder`; what is wrong with it is
    /// reported where it is named.
    pub(crate) fn locate(
        &self,
        folder: &Path,
        source: &Source,
        found: &Found<&str>,
        report: &mut Report,
    ) -> Option<Located> {
        match self.find(folder, found.value) {
            Ok(located) => Some(located),
            Err((message, hint)) => {
                report.error(source, &found.at, message).hint = hint;
                None
            }
        }
    }

    fn find(&self, folder: &Path, text: &str) -> Result<Located, (String, Option<String>)> {
        let relative = Path::new(text);
        let within =
            Some("name it relative to the folder of this file, within the workspace".to_owned());
        let plain = |part| {
            matches!(
                part,
                Component::Normal(_) | Component::CurDir | Component::ParentDir
            )
        };
        if !relative.components().all(plain) {
            return Err((format!("`{text}` is an absolute path"), within));
        }
        let path = match folder.join(relative).canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err((
                    format!("the file `{text}` is not there"),
                    similar(&folder.join(relative)),
                ));
            }
            Err(error) => {
                return Err((
                    format!("the file `{text}` cannot be reached: {error}"),
                    None,
                ));
            }
        };
        if !path.starts_with(&self.root) {
            return Err((format!("`{text}` is outside the workspace"), within));
        }
        if !path.is_file() {
            return Err((format!("`{text}` is not a file"), None));
        }
        let name = self.name(&path);
        Ok(Located { path, name })
    }

    /// Reads a whole file of at most `bytes_max` bytes.
    pub(crate) fn read(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
        let unreadable = |error: std::io::Error| format!("the file cannot be read: {error}");
        let file = fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(bytes_max + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > bytes_max {
            return Err(format!("the file is larger than {bytes_max} bytes"));
        }
        Ok(bytes)
    }

    /// Reads a whole text file; what is wrong with it is reported of the file.
    pub(crate) fn text(&self, path: &Path, report: &mut Report) -> Option<Source> {
        let name = self.name(path);
        let text = self.read(path, TEXT_BYTES_MAX).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|error| {
                format!(
                    "the file is not UTF-8 from byte {} on",
                    error.utf8_error().valid_up_to()
                )
            })
        });
        match text {
            Ok(text) => Some(Source::new(name, text)),
            Err(message) => {
                report.file_error(&name, message);
                None
            }
        }
    }
}

/// A file beside the missing one whose name is like it.
fn similar(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let names: Vec<String> = fs::read_dir(path.parent()?)
        .ok()?
        .take(1000)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let found = nearest(wanted, names.iter().map(String::as_str))?;
    Some(format!("did you mean `{found}`?"))
}

/// A TOML file that was parsed and held against its form.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    source: &'a Source,
    table: DeTable<'a>,
}

impl<'a> Document<'a> {
    /// Parses `source`; with errors of syntax, these are all that is said of it. A file with problems
    /// of form is still given, so that other problems are found too.
    pub(crate) fn parse(
        source: &'a Source,
        form: &'static TableForm,
        currency: &str,
        report: &mut Report,
    ) -> Option<Self> {
        let (table, errors) = DeTable::parse_recoverable(&source.text);
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            if let Some(secret) = secret_on_line(&source.text, &span) {
                source.blot(Some(secret));
            }
            let span = span.start..span.end.max(span.start + 1);
            let message = format!("this is not TOML: {}", error.message());
            let problem = report.error(source, &span, message);
            if error.message().starts_with("invalid") {
                problem.help("if a text is meant, it stands in quotes: \"…\"");
            }
        }
        if !errors.is_empty() {
            return None;
        }
        let table = table.into_inner();
        let mut secrets = Vec::new();
        find_secrets(&table, false, &mut secrets);
        let comments: Vec<Span> = secrets
            .iter()
            .filter_map(|secret| comment_behind(&source.text, secret))
            .collect();
        source.blot(secrets);
        source.blot(comments);
        source.blot(telling_comments(&source.text));
        let mut checker = Checker {
            source,
            currency,
            root: form,
            report,
        };
        checker.table(form, &table, &(0..0), "");
        Some(Self { source, table })
    }

    /// The file's top level.
    pub(crate) fn view(&'a self, currency: &'a str) -> View<'a> {
        View::of(self.source, &self.table, currency)
    }
}

/// Keys under which a secret may stand, rightly or by mistake.
fn is_secretive(key: &str) -> bool {
    let key = key.to_lowercase();
    let telling = [
        "secret",
        "password",
        "passwd",
        "credential",
        "authorization",
        "apikey",
        "api_key",
    ];
    let ending = ["key", "token", "keys"];
    key != "first_token"
        && (telling.iter().any(|word| key.contains(word))
            || ending.iter().any(|word| key.ends_with(word)))
}

/// Tables whose values are secrets, unless they are known to be none.
const GUARDED: [&str; 4] = ["providers", "operators", "postgres", "redis"];

/// Keys within a guarded table or a key of the workspace whose values are no secrets.
const PUBLIC: [&str; 9] = [
    "protocol",
    "base_url",
    "systems",
    "tenant",
    "criticality",
    "roles",
    "file",
    "lease",
    "wait",
];

/// Finds the texts that must never be shown: all below a telling key but for what is known to be
/// public, and whatever looks like a key or a password by itself.
fn find_secrets(table: &DeTable<'_>, within: bool, secrets: &mut Vec<Span>) {
    for (key, value) in table {
        let key = key.get_ref().as_ref();
        let is_variable = key == "env" && value.get_ref().as_str().is_some_and(names_variable);
        let secretive = !PUBLIC.contains(&key)
            && !is_variable
            && (within || is_secretive(key) || GUARDED.contains(&key));
        find_in_value(value, secretive, secrets);
    }
}

fn find_in_value(value: &Spanned<DeValue<'_>>, secretive: bool, secrets: &mut Vec<Span>) {
    match value.get_ref() {
        DeValue::String(text) if secretive || looks_secret(text) => secrets.push(value.span()),
        DeValue::Array(items) => items
            .iter()
            .for_each(|item| find_in_value(item, secretive, secrets)),
        DeValue::Table(table) => find_secrets(table, secretive, secrets),
        // A number or a truth is no secret, but what a stray character left behind it may be.
        _ if secretive => secrets.push(value.span()),
        _ => {}
    }
}

/// The comment behind a secret on its line: a stray quote may have cut the secret in two, so that its
/// end reads as a comment.
fn comment_behind(text: &str, secret: &Span) -> Option<Span> {
    let rest = text.get(secret.end..)?;
    let line = rest.split(['\n', '\r']).next()?;
    let begin = line.find('#')?;
    Some(secret.end + begin..secret.end + line.len())
}

/// The comments that may hold a secret: a stray `#`, or one in the place of a line break, may have made
/// one of it.
fn telling_comments(text: &str) -> Vec<Span> {
    let mut start = 0;
    let mut comments = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some((head, comment)) = line.trim_end().split_once('#') {
            let assigns = comment.contains('=') && tells_of_secret(comment);
            if is_guarded(head) || assigns || looks_secret(comment) {
                let begin = start + head.len();
                comments.push(begin..begin + 1 + comment.len());
            }
        }
        start += line.len();
    }
    comments
}

/// Whether a text names a table whose values are secrets.
fn is_guarded(text: &str) -> bool {
    let mut words = GUARDED.iter().chain(&["key"]);
    words.any(|word| text.contains(word))
}

/// Whether one of a text's words is a key under which a secret may stand.
fn tells_of_secret(text: &str) -> bool {
    let words = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')));
    words
        .into_iter()
        .any(|word| !word.is_empty() && is_secretive(word))
}

/// Whether a text can be the name of an environment variable, rather than a secret.
pub(crate) fn names_variable(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a text is a secret by its looks, wherever it stands: a password may hold any character, so
/// whatever a URL has before its last `@` may be one.
fn looks_secret(text: &str) -> bool {
    let userinfo = text.split_once("://").is_some_and(|(scheme, rest)| {
        rest.contains('@') || ["postgres", "redis"].iter().any(|of| scheme.ends_with(of))
    });
    userinfo || text.contains("sk-") || text.starts_with("Bearer ")
}

/// What must not be shown of a line that is no TOML: its value, or all of it where it is not clear
/// which part is the value, if a secret may be there.
fn secret_on_line(text: &str, span: &Span) -> Option<Span> {
    let at = span.start.min(text.len());
    let start = text.get(..at)?.rfind('\n').map_or(0, |at| at + 1);
    let end = text
        .get(at..)?
        .find('\n')
        .map_or(text.len(), |end| at + end);
    let line = text.get(start..end)?;
    // A stray quote or line break may have torn a secret from its key: where secrets may have begun,
    // every line may be the end of one.
    let after_secrets = is_guarded(text.get(..start)?);
    if !tells_of_secret(line) && !looks_secret(line) && !is_guarded(line) && !after_secrets {
        return None;
    }
    let is_key = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-. [".contains(c))
    };
    let is_header =
        is_key(line.trim_end().trim_end_matches(']')) && line.trim_start().starts_with('[');
    match line.split_once('=') {
        _ if is_header => None,
        Some((key, _)) if is_key(key) && !looks_secret(key) => Some(start + key.len() + 1..end),
        _ => Some(start..end),
    }
}
