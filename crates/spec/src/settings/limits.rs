//! `[limits.…]`: how much may be used by whom, held against the keys and systems that there are.

use std::collections::BTreeSet;
use std::time::Duration;

use plimsoll_core::limits::calendar::{time_zone, time_zones};
use plimsoll_core::limits::{Ceiling, Level, Limit, Limits, Resource, Scope, Unnamed, Window};
use plimsoll_core::{KeyName, LimitName, SystemName, TeamName, TenantName};

use super::{Reader, value_or};
use crate::forms::view::{Found, View};
use crate::quantity::duration_text;
use crate::source::{did_you_mean, listed};
use crate::workspace::{Key, StorageConfig};

/// The longest month.
const MONTH: Duration = Duration::from_hours(31 * 24);

/// A millionth of the currency, in 10⁻¹² of it.
const MILLIONTH: i128 = 1_000_000;

impl Reader<'_> {
    pub(super) fn limits(
        &mut self,
        file: View<'_>,
        keys: &[Key],
        storage: &StorageConfig,
    ) -> Limits {
        let server = file.table("server");
        let mut limits = Limits::default();
        if let Some(zone) = server.text("time_zone") {
            match time_zone(zone.value) {
                Some(found) => limits.time_zone = found,
                None => self.unknown_zone(server, &zone),
            }
        }
        for (text, view) in file.table("limits").tables() {
            match LimitName::new(text) {
                Ok(name) => limits.limits.extend(self.limit(name, view, keys)),
                Err(error) => {
                    self.report
                        .error(view.source, &view.at(), error.to_string());
                }
            }
        }
        self.kept_long_enough(file, &limits, storage);
        self.shared(file, &limits, storage);
        limits
    }

    /// What is said of limits that nodes share: scripts in Redis count whole millionths of money, up to 2⁵².
    fn shared(&mut self, file: View<'_>, limits: &Limits, storage: &StorageConfig) {
        if storage.redis.is_none() {
            return;
        }
        if limits.limits.is_empty() {
            let view = file.table("storage");
            let at = view.key("redis").unwrap_or_else(|| view.at());
            self.report
                .warning(view.source, &at, "there are no limits that nodes could share")
                .help("give some, as in [limits.acme] with per = \"tenant\" and money = { month = \"500 USD\" }, or take `storage.redis` out");
        }
        let is_unfit = |ceiling: &Ceiling| {
            ceiling.resource == Resource::Money
                && !(MILLIONTH..=MILLIONTH << 52).contains(&ceiling.most)
        };
        for limit in &limits.limits {
            if limit.ceilings.iter().any(is_unfit) {
                let view = file.table("limits").table(limit.name.as_str());
                let at = view.key("money").unwrap_or_else(|| view.at());
                let message = "nodes share money from 0.000001 to 4,500,000,000";
                self.report
                    .error(view.source, &at, message)
                    .help("write another amount, or take `storage.redis` out");
            }
        }
    }

    fn limit(&mut self, name: LimitName, view: View<'_>, keys: &[Key]) -> Option<Limit> {
        let per = view.word("per", Level::parse)?.value;
        let ceilings = self.ceilings(view, per);
        let concurrency = view.whole("concurrency");
        let concurrency = concurrency.and_then(|found| u32::try_from(found.value).ok());
        let time = view.duration("time");
        if ceilings.is_empty() && concurrency.is_none() && time.is_none() {
            self.report
                .error(view.source, &view.at(), format!("limit `{name}` bounds nothing"))
                .help("give it one of `requests`, `tokens_in`, `tokens_out`, `money` or `concurrency`, as in requests = { minute = 600 }");
        }
        for (key, levels) in [
            ("time", &[Level::Session][..]),
            ("life", &[Level::Session][..]),
            ("unnamed", &[Level::User, Level::Session][..]),
        ] {
            self.only_per(view, key, per, levels);
        }
        let life = value_or(view.duration("life"), Limit::LIFE);
        for key in ["time", "life"] {
            self.positive(view, key);
        }
        if let Some(time) = time.as_ref().filter(|time| time.value > life) {
            let message = format!(
                "a session that lives for {} is over before `time` is",
                duration_text(life)
            );
            self.report
                .error(view.source, &time.at, message)
                .help("shorten `time`, or give the session a longer `life`");
        }
        let members_max = view.whole("members_max");
        let members_max = members_max.and_then(|found| usize::try_from(found.value).ok());
        Some(Limit {
            scope: self.limit_scope(view, keys),
            name,
            per,
            ceilings,
            concurrency,
            time: time.map(|found| found.value),
            life,
            unnamed: unnamed(view, per),
            members_max: members_max.unwrap_or(Limit::MEMBERS_MAX),
        })
    }

    fn ceilings(&mut self, view: View<'_>, per: Level) -> Vec<Ceiling> {
        let mut ceilings = Vec::new();
        for resource in Resource::ALL {
            let table = view.table(resource.as_str());
            for window in Window::ALL {
                let key = window.as_str();
                let most = match resource {
                    Resource::Money => table.money(key).map(|found| found.value.as_pico()),
                    _ => table.whole(key).map(|found| i128::from(found.value)),
                };
                let Some(most) = most else {
                    continue;
                };
                let at = table.key(key).unwrap_or(0..0);
                if most == 0 {
                    self.report
                        .error(
                            view.source,
                            &at,
                            format!("`{key}` is zero, so that no model could be asked"),
                        )
                        .help("take it out for no limit");
                }
                if window == Window::Session && per != Level::Session {
                    let message =
                        format!("a {per} has no `session` to count in", per = per.as_str());
                    self.report
                        .error(view.source, &at, message)
                        .help("write per = \"session\", or count per minute, hour, day or month");
                }
                ceilings.push(Ceiling {
                    resource,
                    window,
                    most,
                });
            }
        }
        ceilings
    }

    fn only_per(&mut self, view: View<'_>, key: &str, per: Level, levels: &[Level]) {
        let Some(at) = view.key(key).filter(|_| !levels.contains(&per)) else {
            return;
        };
        let levels: Vec<&str> = levels.iter().map(|level| level.as_str()).collect();
        let message = format!("`{key}` does nothing with per = \"{}\"", per.as_str());
        self.report
            .error(view.source, &at, message)
            .help(format!("it is for per = {}", listed(&levels)));
    }

    /// Which requests count. Tenants, teams and keys that no key of the file has are warned of: a limit
    /// that never applies looks like one that does.
    fn limit_scope(&mut self, view: View<'_>, keys: &[Key]) -> Scope {
        let systems = view.texts("systems").unwrap_or_default();
        for found in &systems {
            self.known_system(view, found.value, found);
        }
        let tenants: Vec<&str> = keys.iter().map(|key| key.tenant.as_str()).collect();
        let teams = keys.iter().filter_map(|key| key.team.as_ref());
        let teams: Vec<&str> = teams.map(TeamName::as_str).collect();
        let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        self.warn_of_strangers(view, "tenants", &tenants);
        self.warn_of_strangers(view, "teams", &teams);
        self.warn_of_strangers(view, "keys", &names);
        Scope {
            tenants: named(view, "tenants", |text| TenantName::new(text).ok()),
            teams: named(view, "teams", |text| TeamName::new(text).ok()),
            keys: named(view, "keys", |text| KeyName::new(text).ok()),
            systems: named(view, "systems", |text| SystemName::new(text).ok()),
        }
    }

    fn warn_of_strangers(&mut self, view: View<'_>, key: &str, known: &[&str]) {
        for found in view.texts(key).unwrap_or_default() {
            if known.contains(&found.value) {
                continue;
            }
            let one = key.trim_end_matches('s');
            let message = match one {
                "key" => format!("`[keys]` has no key `{}`", found.value),
                _ => format!("no key of `[keys]` is of {one} `{}`", found.value),
            };
            let mut words = known.to_vec();
            words.dedup();
            let hint = did_you_mean(found.value, &words, |words| {
                format!(
                    "of `[keys]` there are {}; nothing else counts on the limit",
                    listed(words)
                )
            });
            self.report
                .warning(view.source, &found.at, message)
                .help(hint);
        }
    }

    /// After a start usage is read back from records: they must be kept as long as it counts.
    fn kept_long_enough(&mut self, file: View<'_>, limits: &Limits, storage: &StorageConfig) {
        let Some(age) = storage.retention.age else {
            return;
        };
        let longest = |limit: &Limit| {
            let ceilings = limit.ceilings.iter().map(|ceiling| match ceiling.window {
                Window::Month => MONTH,
                Window::Session => limit.life,
                Window::Minute | Window::Hour | Window::Day => Duration::from_hours(25),
            });
            ceilings.max().unwrap_or_default()
        };
        let Some(longest) = limits.limits.iter().map(longest).max() else {
            return;
        };
        if longest > age {
            let at = file.table("limits").at();
            let message = format!(
                "records are let go after {}, and a limit counts for longer: after a restart it would not know all that was used",
                duration_text(age)
            );
            self.report.error(file.source, &at, message).help(format!(
                "keep records for at least {}",
                duration_text(longest)
            ));
        }
    }

    fn unknown_zone(&mut self, view: View<'_>, zone: &Found<&str>) {
        let zones = time_zones();
        let names: Vec<&str> = zones.iter().map(String::as_str).collect();
        let hint = did_you_mean(zone.value, &names, |_| {
            "write it as the IANA database does, as in \"Europe/Berlin\"".to_owned()
        });
        let message = format!("there is no time zone `{}`", zone.value);
        self.report.error(view.source, &zone.at, message).help(hint);
    }
}

fn unnamed(view: View<'_>, per: Level) -> Unnamed {
    match view.text("unnamed").map(|found| found.value) {
        Some("share") => Unnamed::Share,
        Some("pass") => Unnamed::Pass,
        Some("refuse") => Unnamed::Refuse,
        _ if per == Level::Session => Unnamed::Pass,
        _ => Unnamed::Share,
    }
}

fn named<T: Ord>(view: View<'_>, key: &str, read: impl Fn(&str) -> Option<T>) -> BTreeSet<T> {
    let texts = view.texts(key).unwrap_or_default();
    texts.iter().filter_map(|found| read(found.value)).collect()
}
