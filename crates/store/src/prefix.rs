//! Finding one thing by the beginning of its id, as people type it.

use plimsoll_core::TenantName;

use crate::database::{Scope, Statement};
use crate::error::StoreError;
use crate::store::Store;

/// How many that begin alike are named in the error.
const CANDIDATES_MAX: usize = 5;

/// What an id looks like.
#[derive(Clone, Copy)]
pub(crate) enum IdForm {
    /// A ULID in Crockford's base 32, upper case.
    Ulid,
    /// A SHA-256 in hexadecimal digits, lower case.
    Digest,
}

/// A table whose rows are looked up by id.
#[derive(Clone, Copy)]
pub(crate) struct Lookup {
    /// What a row is, in one word.
    pub(crate) what: &'static str,
    /// What its id looks like.
    pub(crate) form: IdForm,
    /// The ids from $1 up to and without $2 in order, at most $3; of tenant $4, if that is not null.
    pub(crate) sql: &'static str,
}

impl Lookup {
    /// The one id that begins with `prefix`.
    pub(crate) async fn resolve(
        self,
        store: &Store,
        tenant: Option<&TenantName>,
        prefix: &str,
    ) -> Result<String, StoreError> {
        let prefix = self.normalise(prefix)?;
        // `~` sorts after every character of an id.
        let end = format!("{prefix}~");
        let statement = Statement::new(self.sql)
            .bind(&*prefix)
            .bind(end)
            .bind(i64::try_from(CANDIDATES_MAX).unwrap_or(i64::MAX))
            .bind(tenant.map(TenantName::as_str));
        let mut found = store
            .texts(Scope::of(tenant), statement, "look up an id")
            .await?;
        match found.len() {
            0 => Err(StoreError::NotFound {
                what: self.what,
                prefix,
            }),
            1 => Ok(found.swap_remove(0)),
            _ => Err(StoreError::Ambiguous {
                what: self.what,
                prefix,
                candidates: found,
            }),
        }
    }

    /// `prefix` as ids are stored; an ellipsis at its end, as tables print it, is left out.
    fn normalise(self, prefix: &str) -> Result<String, StoreError> {
        let text = prefix.trim().trim_end_matches(['…', '.']);
        let (text, fits, expected, longest): (String, fn(u8) -> bool, _, _) = match self.form {
            IdForm::Ulid => {
                let base_32: fn(u8) -> bool = |b| {
                    b.is_ascii_digit()
                        || (b.is_ascii_uppercase() && !matches!(b, b'I' | b'L' | b'O' | b'U'))
                };
                (
                    text.to_ascii_uppercase(),
                    base_32,
                    "up to 26 digits and letters",
                    26,
                )
            }
            IdForm::Digest => {
                let hexadecimal: fn(u8) -> bool = |b| b.is_ascii_hexdigit();
                (
                    text.to_ascii_lowercase(),
                    hexadecimal,
                    "up to 64 hexadecimal digits",
                    64,
                )
            }
        };
        if text.is_empty() || text.len() > longest || !text.bytes().all(fits) {
            let prefix = prefix.chars().take(80).collect();
            return Err(StoreError::NotAnId {
                what: self.what,
                prefix,
                expected,
            });
        }
        Ok(text)
    }
}
