//! What a batch of decisions changes in the rollups, before it is written.
//!
//! Units of work with a name take two steps. Their decisions come at any time, from any node, so what a
//! unit cost so far is kept by its name; when that changes, the unit is taken out of the rollup where it
//! stood and put into the one where its last decision stands now.

use std::collections::BTreeMap;

use plimsoll_core::{EnvironmentName, Money, ReleaseId, SystemName, TenantName, Timestamp};

use crate::database::storable;
use crate::rollup::{Rollup, Sample};

/// How much time is counted together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Width {
    Minute,
    Hour,
}

impl Width {
    pub(crate) const ALL: [Self; 2] = [Self::Minute, Self::Hour];

    /// In seconds, as it is stored.
    pub(crate) const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
        }
    }

    /// When the span began that `at` is in.
    pub(crate) const fn start(self, at: Timestamp) -> Timestamp {
        let micros = at.as_micros();
        let into = micros.rem_euclid(self.seconds() * 1_000_000);
        Timestamp::from_micros(micros.saturating_sub(into))
    }

    /// When the first whole span begins that holds nothing before `at`.
    pub(crate) const fn next(self, at: Timestamp) -> Timestamp {
        let width = self.seconds() * 1_000_000;
        self.start(Timestamp::from_micros(
            at.as_micros().saturating_add(width - 1),
        ))
    }
}

/// What one rollup is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Span {
    pub(crate) system: SystemName,
    pub(crate) environment: EnvironmentName,
    pub(crate) start: Timestamp,
    pub(crate) release: ReleaseId,
}

/// Names a unit of work. Tenants name theirs without knowing of each other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Unit {
    pub(crate) system: SystemName,
    pub(crate) environment: EnvironmentName,
    pub(crate) tenant: TenantName,
    pub(crate) name: String,
}

/// What a unit of work comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct UnitTotal {
    /// Its decisions that have a cost.
    pub(crate) decisions: i64,
    /// What they cost together.
    pub(crate) cost: Money,
    /// The minute and the release of the last of them.
    pub(crate) last: (Timestamp, ReleaseId),
}

/// What is to be added to what stands.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Changes {
    minutes: BTreeMap<Span, Rollup>,
    units: BTreeMap<Unit, UnitTotal>,
}

impl Changes {
    /// A decision is counted.
    pub(crate) fn add(&mut self, sample: &Sample) {
        self.change(sample, 1);
    }

    /// A decision that was counted is not counted any more.
    pub(crate) fn take_back(&mut self, sample: &Sample) {
        self.change(sample, -1);
    }

    fn change(&mut self, sample: &Sample, times: i64) {
        let minute = Width::Minute.start(sample.opened_at);
        let span = Span {
            system: sample.system.clone(),
            environment: sample.environment.clone(),
            start: minute,
            release: sample.release,
        };
        self.minutes.entry(span).or_default().add(sample, times);
        if let (true, Some(name)) = (sample.has_cost, &sample.unit) {
            let unit = Unit {
                system: sample.system.clone(),
                environment: sample.environment.clone(),
                tenant: sample.tenant.clone(),
                // As the database gives it back, so that the two are one unit.
                name: storable(name.clone()),
            };
            let cost = Money::from_pico(i128::from(sample.cost) * i128::from(times));
            let change = UnitTotal {
                decisions: times,
                cost,
                last: (minute, sample.release),
            };
            self.units
                .entry(unit)
                .and_modify(|total| *total = total.plus(change))
                .or_insert(change);
        }
    }

    /// The units of work that change: what stands of them has to be given to [`Changes::settle`].
    pub(crate) fn units(&self) -> impl Iterator<Item = &Unit> {
        self.units.keys()
    }

    /// What the units come to, given what `stood` of them: none for a unit that is no more. Moves them
    /// from where they stood to where they stand.
    pub(crate) fn settle(
        &mut self,
        stood: &BTreeMap<Unit, UnitTotal>,
    ) -> Vec<(Unit, Option<UnitTotal>)> {
        let mut settled = Vec::with_capacity(self.units.len());
        for (unit, change) in std::mem::take(&mut self.units) {
            let before = stood.get(&unit).copied();
            let after = before.map_or(change, |before| before.plus(change));
            let after = (after.decisions > 0).then_some(after);
            if before == after {
                continue;
            }
            for (total, times) in [(before, -1), (after, 1)] {
                if let Some(total) = total {
                    self.place(&unit, total, times);
                }
            }
            settled.push((unit, after));
        }
        settled
    }

    fn place(&mut self, unit: &Unit, total: UnitTotal, times: i64) {
        let (start, release) = total.last;
        let span = Span {
            system: unit.system.clone(),
            environment: unit.environment.clone(),
            start,
            release,
        };
        let rollup = self.minutes.entry(span).or_default();
        rollup.add_unit(total, times);
    }

    /// What changes in the rollups of one width.
    pub(crate) fn spans(&self, width: Width) -> BTreeMap<Span, Rollup> {
        let mut spans: BTreeMap<Span, Rollup> = BTreeMap::new();
        for (span, rollup) in &self.minutes {
            let start = width.start(span.start);
            let span = Span {
                start,
                ..span.clone()
            };
            spans.entry(span).or_default().merge(rollup);
        }
        spans.retain(|_, rollup| !rollup.is_empty());
        spans
    }
}

impl UnitTotal {
    fn plus(self, other: Self) -> Self {
        Self {
            decisions: self.decisions + other.decisions,
            cost: self.cost + other.cost,
            last: self.last.max(other.last),
        }
    }
}
