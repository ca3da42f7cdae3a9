//! ONNX Runtime: a shared library that is found, checked and loaded when it is first needed.
//!
//! The version is read from the file before any of its code runs, because a library that does not
//! fit can abort the process, and those from 1.27 on come with a telemetry client. A process has one
//! runtime for ever: it cannot be unloaded. A failed attempt may be repeated.

use std::fs::File;
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ort::environment::Environment;
use ort::logging::LogLevel;
use parking_lot::Mutex;

/// The minor versions of ONNX Runtime 1 that are used.
pub const LIBRARY_VERSIONS: RangeInclusive<u32> = 22..=26;

/// How the library is got.
const HOW: &str = "to get it: `pip download --no-deps onnxruntime==1.26.0`, unzip the wheel, and copy \
    onnxruntime/capi/libonnxruntime.so.1.26.0 into .runtime/ of the workspace";

static LOADED: Mutex<Option<OnnxRuntime>> = Mutex::new(None);

/// Where the library is looked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OnnxSearch {
    /// The setting `[onnx] library`. If it is there, nothing else is tried.
    pub setting: Option<PathBuf>,
    /// What the environment variable `ORT_DYLIB_PATH` says. If it is there, no folder is tried.
    pub environment: Option<PathBuf>,
    /// Folders: `.runtime` of the workspace, and others. The first that holds a library is taken.
    pub folders: Vec<PathBuf>,
}

/// The loaded library.
#[derive(Clone, Debug)]
pub struct OnnxRuntime {
    environment: Environment,
    path: PathBuf,
    version: String,
}

/// Why there is no runtime, or no model.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// No library is where it was looked for.
    #[error("the library of onnx runtime is missing (looked for: {}); {HOW}", .0.join(", "))]
    Missing(Vec<String>),
    /// The library's file cannot be read.
    #[error("the library `{path}` cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The library has another version, or does not tell it.
    #[error(
        "the library `{path}` is {}: versions 1.{} to 1.{} are used; {HOW}",
        .found.as_ref().map_or("of no known version".into(), |v| format!("onnx runtime {v}")),
        LIBRARY_VERSIONS.start(),
        LIBRARY_VERSIONS.end()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version that it tells.
        found: Option<String>,
    },
    /// The library cannot be loaded.
    #[error("the library `{path}` cannot be loaded")]
    Library {
        /// The file.
        path: PathBuf,
        /// What the loader says.
        #[source]
        source: ort::LoadDynamicError,
    },
    /// The library was loaded and does not start.
    #[error("onnx runtime does not start")]
    Start(#[source] ort::Error),
    /// The model's file is none, or is damaged.
    #[error("the file is not an onnx model that can be loaded")]
    Model(#[source] ort::Error),
    /// The model takes or gives what is not known here.
    #[error("{0}")]
    Unfit(String),
}

impl OnnxRuntime {
    /// The process's runtime: loaded by the first call that finds a library, the same for all later
    /// ones, wherever they look.
    ///
    /// # Errors
    /// If no library is found, or it has another version or does not load. It says how to get one.
    pub fn load(search: &OnnxSearch) -> Result<Self, OnnxError> {
        let mut loaded = LOADED.lock();
        if let Some(runtime) = &*loaded {
            return Ok(runtime.clone());
        }
        let (path, version) = find(search)?;
        let builder = ort::init_from(&path).map_err(|source| {
            let path = path.clone();
            OnnxError::Library { path, source }
        })?;
        let environment = builder
            .with_name("plimsoll")
            .with_telemetry(false)
            .with_logger(Arc::new(log))
            .build()
            .map_err(OnnxError::Start)?;
        environment.set_log_level(LogLevel::Error);
        let runtime = Self {
            environment,
            path,
            version,
        };
        Ok(loaded.insert(runtime).clone())
    }

    /// The version, as in `1.26.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The library's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// ONNX Runtime's own log. Its messages may quote values of a row: only the place is kept.
fn log(level: LogLevel, category: &str, _id: &str, place: &str, _message: &str) {
    match level {
        LogLevel::Error | LogLevel::Fatal => {
            tracing::warn!(
                onnx.category = category,
                onnx.place = place,
                "onnx runtime reported an error"
            );
        }
        LogLevel::Verbose | LogLevel::Info | LogLevel::Warning => {}
    }
}

fn find(search: &OnnxSearch) -> Result<(PathBuf, String), OnnxError> {
    let named = [
        ("the setting `[onnx] library`", &search.setting),
        ("ORT_DYLIB_PATH", &search.environment),
    ];
    let mut looked = Vec::new();
    for (source, path) in named {
        let Some(path) = path else { continue };
        if !path.is_file() {
            looked.push(format!("{source}: {}", path.display()));
            return Err(OnnxError::Missing(looked));
        }
        return checked(path);
    }
    for folder in &search.folders {
        looked.push(folder.display().to_string());
        // The newest first, so that a folder may hold several.
        let mut unfit = None;
        for path in libraries(folder) {
            match checked(&path) {
                Ok(found) => return Ok(found),
                Err(error) => unfit = unfit.or(Some(error)),
            }
        }
        if let Some(error) = unfit {
            return Err(error);
        }
    }
    Err(OnnxError::Missing(looked))
}

fn libraries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_library = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_windows = &*name == "onnxruntime.dll";
        let is_unix = name.starts_with("libonnxruntime.")
            && (name.contains(".so") || name.ends_with(".dylib"));
        (is_unix || is_windows) && path.is_file()
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(is_library)
        .collect();
    paths.sort_unstable_by(|a, b| b.cmp(a));
    paths
}

fn checked(path: &Path) -> Result<(PathBuf, String), OnnxError> {
    let unreadable = |source| {
        let path = path.to_owned();
        OnnxError::Unreadable { path, source }
    };
    // Links are followed, so that the version in the real file's name can be read.
    let real = path.canonicalize().map_err(unreadable)?;
    let found = version_in(File::open(&real).map_err(unreadable)?).map_err(unreadable)?;
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    let found = found.or_else(|| first_version(name.as_bytes()));
    let minor = found
        .as_ref()
        .and_then(|version| version.split('.').nth(1)?.parse().ok());
    match (found, minor) {
        (Some(version), Some(minor)) if LIBRARY_VERSIONS.contains(&minor) => Ok((real, version)),
        (found, _) => Err(OnnxError::Version { path: real, found }),
    }
}

/// What the linker writes into the library's table of symbol versions.
const MARK: &[u8] = b"VERS_";

/// More than a mark and a version take.
const MARK_BYTES_MAX: usize = 32;

/// The version that the library's symbols carry, as in `VERS_1.26.0`; `None` where the format of
/// libraries has no versions for symbols. Reads from the front and stops when it is found.
fn version_in(mut file: impl Read) -> io::Result<Option<String>> {
    let mut buffer = Vec::with_capacity(256 * 1024);
    loop {
        let before = buffer.len();
        let read = file.by_ref().take(128 * 1024).read_to_end(&mut buffer)?;
        let marks = buffer.windows(MARK.len()).enumerate();
        for (at, _) in marks.filter(|(_, window)| *window == MARK) {
            let end = buffer.len().min(at + MARK_BYTES_MAX);
            // At the end of what is read so far the version may be cut off: it is looked at again.
            if end < buffer.len() || read == 0 {
                let version = first_version(&buffer[at + MARK.len()..end]);
                if version.is_some() {
                    return Ok(version);
                }
            }
        }
        if read == 0 {
            return Ok(None);
        }
        buffer.drain(..(before + read).saturating_sub(MARK_BYTES_MAX));
    }
}

/// The first `1.x.y` in a text.
fn first_version(text: &[u8]) -> Option<String> {
    let start = text.windows(2).position(|pair| pair == b"1.")?;
    let rest = &text[start..];
    let end = rest.iter().position(|b| !b.is_ascii_digit() && *b != b'.');
    let version = std::str::from_utf8(&rest[..end.unwrap_or(rest.len())]).ok()?;
    let version = version.trim_end_matches('.');
    (version.split('.').count() >= 3).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version_of(bytes: &[u8]) -> Option<String> {
        version_in(bytes).unwrap()
    }

    #[test]
    fn the_version_is_read_from_the_symbols_wherever_they_are() {
        for before in [0, 1, 128 * 1024 - 20, 128 * 1024 - 5, 128 * 1024, 300_000] {
            let mut bytes = vec![b'x'; before];
            bytes.extend_from_slice(b"\0VERS_1.26.0\0VERS_1.99.9\0");
            assert_eq!(version_of(&bytes).as_deref(), Some("1.26.0"), "{before}");
            bytes.extend_from_slice(&[0; 200_000]);
            assert_eq!(version_of(&bytes).as_deref(), Some("1.26.0"), "{before}");
        }
        assert_eq!(version_of(b"VERS_1.22.1").as_deref(), Some("1.22.1"));
        assert_eq!(version_of(b"VERS_x"), None);
        assert_eq!(version_of(&[7; 300_000]), None);
    }

    #[test]
    fn the_version_is_read_from_the_name_where_symbols_have_none() {
        let version = |name: &str| first_version(name.as_bytes());
        assert_eq!(
            version("libonnxruntime.1.24.1.dylib").as_deref(),
            Some("1.24.1")
        );
        assert_eq!(version("libonnxruntime.so.1"), None);
    }

    #[test]
    fn a_missing_library_is_told_with_where_it_was_looked_for_and_how_to_get_it() {
        let folder = tempfile::tempdir().unwrap();
        let search = OnnxSearch {
            folders: vec![folder.path().join("a"), folder.path().to_owned()],
            ..OnnxSearch::default()
        };
        let text = find(&search).unwrap_err().to_string();
        assert!(
            text.contains("pip download --no-deps onnxruntime==1.26.0"),
            "{text}"
        );
        assert!(
            text.contains(&folder.path().join("a").display().to_string()),
            "{text}"
        );
        let setting = OnnxSearch {
            setting: Some("/nowhere/lib.so".into()),
            ..search
        };
        let text = find(&setting).unwrap_err().to_string();
        assert!(
            text.contains("the setting `[onnx] library`: /nowhere/lib.so"),
            "{text}"
        );
    }

    #[test]
    fn a_library_of_another_version_is_never_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let search = OnnxSearch {
            folders: vec![folder.path().to_owned()],
            ..OnnxSearch::default()
        };
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        };
        write("libonnxruntime.so", b"not a library");
        let text = find(&search).unwrap_err().to_string();
        assert!(text.contains("of no known version"), "{text}");
        write("libonnxruntime.so", b"\0VERS_1.31.1\0");
        let text = find(&search).unwrap_err().to_string();
        assert!(
            text.contains("is onnx runtime 1.31.1: versions 1.22 to 1.26"),
            "{text}"
        );
        write("libonnxruntime.so.1.26.0", b"\0VERS_1.26.0\0");
        let (path, version) = find(&search).unwrap();
        assert!(path.ends_with("libonnxruntime.so.1.26.0"));
        assert_eq!(version, "1.26.0");
    }
}
