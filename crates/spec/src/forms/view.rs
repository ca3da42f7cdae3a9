//! Reading values out of a file that was held against its form. What did not fit is already a
//! problem, so these readers only say that there is nothing.

use std::net::SocketAddr;
use std::time::Duration;

use plimsoll_core::system::Bound;
use plimsoll_core::{Money, Timestamp};
use toml::de::{DeTable, DeValue};

use super::check::{Value, number, whole};
use crate::quantity;
use crate::source::{Source, Span};

/// A table of a file that was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// The file.
    pub(crate) source: &'a Source,
    /// The table; none: it is absent, and so are all its keys.
    table: Option<&'a DeTable<'a>>,
    /// The key that the table stands under: start and end.
    at: (usize, usize),
    /// The workspace's currency.
    currency: &'a str,
}

/// A value with the place where it stands.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Found<T> {
    pub(crate) value: T,
    pub(crate) at: Span,
}

impl<'a> View<'a> {
    pub(crate) const fn of(source: &'a Source, table: &'a DeTable<'a>, currency: &'a str) -> Self {
        Self {
            source,
            table: Some(table),
            at: (0, 0),
            currency,
        }
    }

    /// Where the table's key stands.
    pub(crate) const fn at(&self) -> Span {
        self.at.0..self.at.1
    }

    /// Whether the table is there.
    pub(crate) const fn exists(&self) -> bool {
        self.table.is_some()
    }

    fn entry(&self, key: &str) -> Option<(Span, &'a Value<'a>)> {
        let (key, value) = self.table?.get_key_value(key)?;
        Some((key.span(), value))
    }

    fn read<T>(
        &self,
        key: &str,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<Found<T>> {
        let (_, value) = self.entry(key)?;
        Some(Found {
            value: read(value.get_ref())?,
            at: value.span(),
        })
    }

    /// Where the key stands, if it is there.
    pub(crate) fn key(&self, key: &str) -> Option<Span> {
        self.entry(key).map(|(at, _)| at)
    }

    /// The table under `key`; absent if it is none.
    pub(crate) fn table(&self, key: &str) -> Self {
        let absent = Self {
            table: None,
            ..*self
        };
        let Some((at, value)) = self.entry(key) else {
            return absent;
        };
        Self {
            table: value.get_ref().as_table(),
            at: (at.start, at.end),
            ..*self
        }
    }

    /// Each key with its place and value, in the order of the file.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Span, &'a Value<'a>)> {
        let table = self.table.into_iter().flatten();
        let mut entries: Vec<_> = table
            .map(|(key, value)| (key.get_ref().as_ref(), key.span(), value))
            .collect();
        entries.sort_by_key(|(_, at, _)| at.start);
        entries
    }

    /// Each table under this one, with its name, in the order of the file.
    pub(crate) fn tables(&self) -> Vec<(&'a str, Self)> {
        self.entries()
            .into_iter()
            .filter(|(_, _, value)| value.get_ref().is_table())
            .map(|(key, _, _)| (key, self.table(key)))
            .collect()
    }

    /// Each table of the list under `key`.
    pub(crate) fn list_of_tables(&self, key: &str) -> Vec<Self> {
        let items = self
            .entry(key)
            .and_then(|(_, value)| value.get_ref().as_array());
        let table = |item: &'a Value<'a>| {
            let span = item.span();
            Some(Self {
                table: Some(item.get_ref().as_table()?),
                at: (span.start, span.end),
                ..*self
            })
        };
        items
            .into_iter()
            .flat_map(|items| items.iter())
            .filter_map(table)
            .collect()
    }

    pub(crate) fn text(&self, key: &str) -> Option<Found<&'a str>> {
        self.read(key, DeValue::as_str)
            .filter(|found| !found.value.trim().is_empty())
    }

    /// The texts of a list, or of a map in the order of the file.
    pub(crate) fn texts(&self, key: &str) -> Option<Vec<Found<&'a str>>> {
        let (_, value) = self.entry(key)?;
        let text = |item: &'a Value<'a>| {
            Some(Found {
                value: item.get_ref().as_str()?,
                at: item.span(),
            })
        };
        Some(
            value
                .get_ref()
                .as_array()?
                .iter()
                .filter_map(text)
                .collect(),
        )
    }

    pub(crate) fn flag(&self, key: &str) -> Option<Found<bool>> {
        self.read(key, DeValue::as_bool)
    }

    pub(crate) fn whole(&self, key: &str) -> Option<Found<u64>> {
        self.read(key, |value| {
            value
                .as_integer()
                .and_then(|n| whole(n.as_str(), n.radix()))
        })
    }

    pub(crate) fn number(&self, key: &str) -> Option<Found<f64>> {
        self.read(key, |value| number(value))
    }

    fn quantity<T>(&self, key: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Found<T>> {
        self.read(key, |value| value.as_str().and_then(read))
    }

    pub(crate) fn duration(&self, key: &str) -> Option<Found<Duration>> {
        self.quantity(key, |text| quantity::duration(text).ok())
    }

    pub(crate) fn size(&self, key: &str) -> Option<Found<u64>> {
        self.quantity(key, |text| quantity::size(text).ok())
    }

    pub(crate) fn money(&self, key: &str) -> Option<Found<Money>> {
        self.quantity(key, |text| quantity::money(text, self.currency).ok())
    }

    pub(crate) fn price(&self, key: &str) -> Option<Found<Money>> {
        self.quantity(key, |text| quantity::amount(text, self.currency).ok())
    }

    pub(crate) fn ceiling(&self, key: &str) -> Option<Found<Money>> {
        self.quantity(key, |text| {
            quantity::money_at_most(text, self.currency).ok()
        })
    }

    pub(crate) fn bound(&self, key: &str) -> Option<Found<Bound>> {
        self.quantity(key, |text| quantity::bound(text).ok())
    }

    pub(crate) fn address(&self, key: &str) -> Option<Found<SocketAddr>> {
        self.quantity(key, |text| text.parse().ok())
    }

    pub(crate) fn moment(&self, key: &str) -> Option<Found<Timestamp>> {
        self.read(key, |value| match value {
            DeValue::Datetime(moment) => Timestamp::parse(&moment.to_string()).ok(),
            value => value.as_str().and_then(|text| Timestamp::parse(text).ok()),
        })
    }

    /// Any value, as JSON.
    pub(crate) fn json(&self, key: &str) -> Option<Found<serde_json::Value>> {
        let (_, value) = self.entry(key)?;
        Some(Found {
            value: json(value).ok()?,
            at: value.span(),
        })
    }

    /// A name, or one of a choice of words, as `read` knows it.
    pub(crate) fn word<T>(
        &self,
        key: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<Found<T>> {
        self.quantity(key, read)
    }
}

/// A value as JSON, members in the order of the file, times as text.
///
/// # Errors
/// The place of a number that JSON cannot hold.
pub(crate) fn json(value: &Value<'_>) -> Result<serde_json::Value, Span> {
    use serde_json::Value as Json;
    let at = value.span();
    Ok(match value.get_ref() {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Boolean(flag) => Json::Bool(*flag),
        DeValue::Datetime(moment) => Json::String(moment.to_string()),
        DeValue::Integer(digits) => {
            let number = i64::from_str_radix(digits.as_str(), digits.radix());
            Json::from(number.map_err(|_| at)?)
        }
        DeValue::Float(_) => {
            let number = number(value.get_ref()).and_then(serde_json::Number::from_f64);
            Json::Number(number.ok_or(at)?)
        }
        DeValue::Array(items) => Json::Array(items.iter().map(json).collect::<Result<_, _>>()?),
        DeValue::Table(table) => {
            let mut members: Vec<_> = table.iter().collect();
            members.sort_by_key(|(key, _)| key.span().start);
            let members = members
                .into_iter()
                .map(|(key, value)| Ok((key.get_ref().to_string(), json(value)?)));
            Json::Object(members.collect::<Result<_, Span>>()?)
        }
    })
}
