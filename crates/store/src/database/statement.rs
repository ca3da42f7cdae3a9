//! A statement with its values, to be run on either engine.

use std::borrow::Cow;
use std::fmt::Write as _;

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr as _, SqlStr, Sqlite};

/// SQL that both engines understand, with `$1`, `$2` and so on for its values. The text is ours alone;
/// what comes from outside is bound. `= ANY($1)` takes many texts: SQLite, which has no arrays, reads it
/// as `IN (SELECT value FROM json_each($1))`.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    sql: Cow<'static, str>,
    values: Vec<Value>,
}

/// What can be bound.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
    Real(Option<f64>),
    Boolean(bool),
    Bytes(Vec<u8>),
    Texts(Vec<String>),
}

impl Statement {
    pub(crate) const fn new(sql: &'static str) -> Self {
        Self {
            sql: Cow::Borrowed(sql),
            values: Vec::new(),
        }
    }

    /// The next value.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// More text.
    pub(crate) fn push(&mut self, sql: &'static str) -> &mut Self {
        self.sql.to_mut().push_str(sql);
        self
    }

    /// The next value, where the text stands now.
    pub(crate) fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        write!(self.sql.to_mut(), "${}", self.values.len()).expect("a text can be written to");
        self
    }

    pub(crate) fn sqlite(self) -> Query<'static, Sqlite, SqliteArguments> {
        let is_array = |value: &Value| matches!(value, Value::Texts(_));
        let sql = match self.values.iter().position(is_array) {
            Some(index) => {
                let number = index + 1;
                let array = format!("= ANY(${number})");
                let list = format!("IN (SELECT value FROM json_each(${number}))");
                Cow::Owned(self.sql.replace(&array, &list))
            }
            None => self.sql,
        };
        let values = self.values.into_iter();
        values.fold(sqlx::query(text(sql)), |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Integer(number) => query.bind(number),
            Value::Real(number) => query.bind(number),
            Value::Boolean(is_true) => query.bind(is_true),
            Value::Bytes(bytes) => query.bind(bytes),
            Value::Texts(texts) => query.bind(serde_json::Value::from(texts).to_string()),
        })
    }

    pub(crate) fn postgres(self) -> Query<'static, Postgres, PgArguments> {
        let values = self.values.into_iter();
        values.fold(sqlx::query(text(self.sql)), |query, value| match value {
            Value::Text(text) => query.bind(text.map(storable)),
            Value::Integer(number) => query.bind(number),
            Value::Real(number) => query.bind(number),
            Value::Boolean(is_true) => query.bind(is_true),
            Value::Bytes(bytes) => query.bind(bytes),
            Value::Texts(texts) => query.bind(texts),
        })
    }
}

fn text(sql: Cow<'static, str>) -> SqlStr {
    match sql {
        Cow::Borrowed(sql) => sql.into_sql_str(),
        Cow::Owned(sql) => AssertSqlSafe(sql).into_sql_str(),
    }
}

/// The text as PostgreSQL can hold it: U+0000 is the one character that it refuses, and a caller's word
/// for a unit of work may have it.
pub(crate) fn storable(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(Some(number.into()))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl From<Option<f64>> for Value {
    fn from(number: Option<f64>) -> Self {
        Self::Real(number)
    }
}

impl From<bool> for Value {
    fn from(is_true: bool) -> Self {
        Self::Boolean(is_true)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<String>> for Value {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_as_they_come() {
        let mut statement =
            Statement::new("SELECT id FROM decisions WHERE tenant = $1").bind("acme");
        statement
            .push(" AND unit = ")
            .push_bind("a")
            .push(" LIMIT ")
            .push_bind(5_u32);
        assert_eq!(
            statement.sql,
            "SELECT id FROM decisions WHERE tenant = $1 AND unit = $2 LIMIT $3"
        );
    }

    #[test]
    fn sqlite_reads_an_array_as_a_list() {
        let ids = vec!["a".to_owned(), "b".to_owned()];
        let statement = Statement::new("SELECT 1 FROM reviews WHERE id = ANY($2) AND state = $1");
        let query = statement.bind("open").bind(ids).sqlite();
        assert_eq!(
            sqlx::Execute::sql(query).as_str(),
            "SELECT 1 FROM reviews WHERE id IN (SELECT value FROM json_each($2)) AND state = $1"
        );
    }

    #[test]
    fn the_character_that_postgresql_refuses_is_replaced() {
        assert_eq!(storable("a\0b".to_owned()), "a\u{fffd}b");
    }
}
