//! Decisions as files: CSV for spreadsheets, Parquet for notebooks.
//!
//! Rows are read a page at a time, the earliest first, each page with a query of its own: memory stays
//! bounded, and no long read keeps the database's log from being cleaned. What is opened after the
//! export began is left out.

mod columns;
mod csv;
mod parquet;

use std::io::Write;

use plimsoll_core::DecisionId;

use crate::database::{Row, Scope, Statement};
use crate::decisions::{DecisionFilter, Order, Page};
use crate::error::StoreError;
use crate::sql::column;
use crate::store::Store;

pub use columns::{COLUMNS, Column, ColumnKind};

/// Rows that are read at a time.
const PAGE_ROWS: u32 = 2_000;

impl Store {
    /// Writes the decisions that `filter` lets through as CSV (RFC 4180, with a header) and returns how
    /// many. The filter's limit counts for nothing; its cursor neither. A text that a caller chose and
    /// that a spreadsheet would run as a formula gets an apostrophe in front.
    ///
    /// # Errors
    /// If `writer` fails or the database is away; what was written then is not whole.
    pub async fn export_csv<W: Write + Send>(
        &self,
        filter: &DecisionFilter,
        writer: W,
    ) -> Result<u64, StoreError> {
        let mut table = csv::Table::begin(writer)?;
        let mut rows = Rows::begin(self, filter);
        while let Some(page) = rows.next_page().await? {
            table.write(&page)?;
        }
        table.end()?;
        Ok(rows.count)
    }

    /// Writes the decisions that `filter` lets through as Parquet (zstd, costs as exact decimals, times
    /// in UTC) and returns how many. The filter's limit counts for nothing; its cursor neither.
    ///
    /// # Errors
    /// If `writer` fails or the database is away; what was written then is no Parquet file.
    pub async fn export_parquet<W: Write + Send>(
        &self,
        filter: &DecisionFilter,
        writer: W,
    ) -> Result<u64, StoreError> {
        let mut file = parquet::File::begin(writer)?;
        let mut rows = Rows::begin(self, filter);
        while let Some(page) = rows.next_page().await? {
            file.write(&page)?;
        }
        file.end()?;
        Ok(rows.count)
    }
}

/// Pages of the rows to be exported.
struct Rows<'a> {
    store: &'a Store,
    filter: DecisionFilter,
    page: Option<Page>,
    count: u64,
}

impl<'a> Rows<'a> {
    fn begin(store: &'a Store, filter: &DecisionFilter) -> Self {
        let mut filter = filter.clone();
        let now = store.clock.now();
        filter.until = Some(filter.until.map_or(now, |until| until.min(now)));
        Self {
            store,
            filter,
            page: Some(Page::All),
            count: 0,
        }
    }

    async fn next_page(&mut self) -> Result<Option<Vec<Row>>, StoreError> {
        let Some(page) = self.page.take() else {
            return Ok(None);
        };
        let mut query = Statement::new(columns::SELECT);
        self.filter
            .push_where(&mut query, page, self.store.has_days());
        crate::decisions::push_order(&mut query, Order::EarliestFirst, PAGE_ROWS);
        let scope = Scope::of(self.filter.tenant.as_ref());
        let doing = "read decisions for an export";
        let rows = self.store.rows(scope, query, doing).await?;
        let Some(last) = rows.last() else {
            return Ok(None);
        };
        if rows.len() == usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX) {
            let id: String = column(last, columns::ID)?;
            let opened_at: i64 = column(last, columns::OPENED_AT)?;
            debug_assert!(
                id.parse::<DecisionId>().is_ok(),
                "ids are stored as they print"
            );
            self.page = Some(Page::After { opened_at, id });
        }
        self.count += u64::try_from(rows.len()).unwrap_or(u64::MAX);
        Ok(Some(rows))
    }
}
