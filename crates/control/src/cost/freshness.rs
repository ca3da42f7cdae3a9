//! How fresh prices are: of each model that is asked, the day on which its price was last looked at.

use plimsoll_core::manifest::Manifest;
use plimsoll_core::{ModelName, Timestamp};
use plimsoll_spec::PriceTable;
use plimsoll_spec::prices::{LOCAL, Origin, Price, priced_as};
use serde::Serialize;

/// The price of a model now, if one holds.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PricedModel {
    /// The model as the system calls it.
    pub name: ModelName,
    /// What it is priced as.
    pub provider: String,
    /// What it is priced as.
    pub model: String,
    /// The price; none if none holds.
    pub price: Option<Price>,
    /// From when it holds.
    pub from: Option<Timestamp>,
    /// When it was last looked at, or from when it holds.
    pub checked: Option<Timestamp>,
    /// Who says so.
    pub origin: Option<Origin>,
}

/// The prices of what a manifest's models are, at a moment. Models in this process that have no price are
/// left out: they are free.
pub fn of(manifest: &Manifest, table: &PriceTable, now: Timestamp) -> Vec<PricedModel> {
    let models = manifest.models.iter().map(|(name, spec)| {
        let (provider, model) = priced_as(&manifest.system, name, spec);
        let found = table.dated(&provider, &model, now);
        PricedModel {
            name: name.clone(),
            price: found.map(|found| found.price.clone()),
            from: found.map(|found| found.from),
            checked: found.map(|found| found.price.checked.unwrap_or(found.from)),
            origin: found.map(|found| found.origin),
            provider,
            model,
        }
    });
    models
        .filter(|priced| priced.provider != LOCAL || priced.price.is_some())
        .collect()
}

/// When the price was looked at that nobody looked at for longest; none if no model has one.
pub fn oldest(priced: &[PricedModel]) -> Option<Timestamp> {
    priced.iter().filter_map(|priced| priced.checked).min()
}
