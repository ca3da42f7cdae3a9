//! Whole decisions, page by page, the earliest first: for figures that are made of every one of them.
//!
//! Each page is a query of its own, so that memory stays bounded and no long read keeps the database's log
//! from being cleaned. What is opened after the first page was asked for is left out.

use plimsoll_core::{Decision, Tenancy};

use crate::database::Scope;
use crate::decisions::{DecisionFilter, Order, Page, push_order};
use crate::error::StoreError;
use crate::sql::read_json;
use crate::store::Store;

/// Decisions of a page.
const PAGE_ROWS: u32 = 2_000;

/// Pages of decisions.
#[derive(Debug)]
pub struct DecisionPages<'a> {
    store: &'a Store,
    filter: DecisionFilter,
    next: Option<Page>,
}

impl Store {
    /// The decisions of `tenancy` that `filter` lets through, page by page; the filter's limit and cursor
    /// count for nothing.
    pub fn decision_pages(&self, tenancy: &Tenancy, filter: &DecisionFilter) -> DecisionPages<'_> {
        let asked = tenancy.narrowed(filter.tenant.clone());
        let now = self.clock.now();
        DecisionPages {
            store: self,
            filter: DecisionFilter {
                tenant: asked.as_ref().and_then(|tenancy| tenancy.tenant().cloned()),
                until: Some(filter.until.map_or(now, |until| until.min(now))),
                ..filter.clone()
            },
            // Of another tenant there is nothing.
            next: asked.map(|_| Page::All),
        }
    }
}

impl DecisionPages<'_> {
    /// The next page; none at the end.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<Decision>>, StoreError> {
        let Some(page) = self.next.take() else {
            return Ok(None);
        };
        let mut query = self.store.records();
        self.filter
            .push_where(&mut query, page, self.store.has_days());
        push_order(&mut query, Order::EarliestFirst, PAGE_ROWS);
        let scope = Scope::of(self.filter.tenant.as_ref());
        let texts = self.store.texts(scope, query, "read decisions").await?;
        let read = texts.iter().map(|text| read_json("decision", text));
        let decisions = read.collect::<Result<Vec<Decision>, _>>()?;
        if decisions.len() == usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX) {
            self.next = decisions.last().map(|last| Page::After {
                opened_at: last.opened_at.as_micros(),
                id: last.id.to_string(),
            });
        }
        Ok((!decisions.is_empty()).then_some(decisions))
    }
}
