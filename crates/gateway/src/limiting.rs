//! The workspace's limits around a decision: its passage through the tree, held until it is finished.
//!
//! The tree itself is pure ([`plimsoll_core::limits`]); here it stands behind a lock that is held for
//! single steps, never while anything waits. A passage that is dropped is given back; what was set aside
//! and never settled stays used, since it may have been spent.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use plimsoll_core::limits::{
    Amounts, Exceeded, Level, Limits, Passage, Reservation, Resource, Seeding, Stand, Stop, Tree,
    Who, Window,
};
use plimsoll_core::ports::Used;
use plimsoll_core::{Clock, Code, Timestamp};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::sharing::{SharedLimits, Sharing};

/// The tree of limits, shared by all that is under way.
pub(crate) struct Limiter {
    tree: Mutex<Tree>,
    clock: Arc<dyn Clock>,
    /// What is known of their keeper, if several nodes share them.
    sharing: Option<Sharing>,
}

/// A decision's passage through the tree.
pub(crate) struct Admission {
    limiter: Arc<Limiter>,
    passage: Passage,
}

/// How the limits stand on which a call counts, told in its response's headers.
#[derive(Debug, Default)]
pub(crate) struct Standings(OnceLock<Vec<Stand>>);

/// The limit that refused, for whoever asked.
#[derive(Clone, PartialEq, Debug)]
pub struct RefusedBy {
    exceeded: Exceeded,
    group: String,
    currency: String,
    now: Timestamp,
}

impl Limiter {
    pub(crate) fn new(
        limits: &Limits,
        shared: Option<SharedLimits>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut tree = Tree::new(limits, clock.now());
        if let Some(shared) = &shared {
            tree.share(shared.lease);
        }
        let sharing = shared.map(|shared| Sharing::new(shared, Arc::clone(&clock)));
        Self {
            tree: Mutex::new(tree),
            clock,
            sharing,
        }
    }

    /// The tree, which knows what time it is for leases.
    pub(crate) fn tree(&self) -> MutexGuard<'_, Tree> {
        let mut tree = self.tree.lock();
        tree.tick(self.clock.elapsed());
        tree
    }

    /// What is known of the keeper; none if this node shares its limits with no other.
    pub(crate) const fn sharing(&self) -> Option<&Sharing> {
        self.sharing.as_ref()
    }

    /// Takes one step in the tree; hurries the keeper's answers if something runs short.
    pub(crate) fn step<T>(&self, step: impl FnOnce(&mut Tree) -> T) -> T {
        let mut tree = self.tree();
        let result = step(&mut tree);
        if let Some(sharing) = self.sharing.as_ref().filter(|_| tree.takes_urgent()) {
            sharing.hurry();
        }
        result
    }

    /// Takes other limits on; what was used stays used.
    pub(crate) fn change(&self, limits: &Limits, now: Timestamp) {
        self.tree.lock().change(limits, now);
    }

    /// Lets a decision in. If what this node holds is spent, it waits for more, at most `most`.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        who: &Who<'_>,
        now: Timestamp,
        (clock, most): (&dyn Clock, Duration),
    ) -> Result<Admission, Box<Exceeded>> {
        let entered = self.step(|tree| tree.enter(who, now));
        let passage = match entered {
            Err(short) if short.is_short() => {
                let again = |tree: &mut Tree, now| tree.enter(who, now);
                self.waited(short, (clock, most), again).await?
            }
            entered => entered?,
        };
        Ok(Admission {
            limiter: Arc::clone(self),
            passage,
        })
    }

    /// What has to be read back from records.
    pub(crate) fn seeding(&self, now: Timestamp) -> Option<Seeding> {
        self.tree.lock().seeding(now)
    }

    /// Counts what the records say was used in these windows.
    pub(crate) fn seed(&self, used: &[(Window, Vec<Used>)], keys: &Teams<'_>, now: Timestamp) {
        let mut tree = self.tree.lock();
        for (window, rows) in used {
            for row in rows {
                let who = Who {
                    tenant: &row.tenant,
                    team: row.key.as_ref().and_then(keys),
                    key: row.key.as_ref(),
                    user: row.subject,
                    session: row.session.as_deref(),
                    system: &row.system,
                };
                tree.seed(*window, &who, &row.amounts, (row.first_at, now));
            }
        }
        tree.seeded();
    }

    /// How many members are remembered one by one, and how many were folded since the start.
    pub(crate) fn figures(&self) -> (usize, u64) {
        self.tree.lock().figures()
    }
}

/// Finds the team of a key.
pub(crate) type Teams<'a> =
    dyn Fn(&plimsoll_core::KeyName) -> Option<&'a plimsoll_core::TeamName> + 'a;

impl Admission {
    /// Sets `amounts` aside on the whole path. If what this node holds is spent, it waits for more, at
    /// most `most`.
    pub(crate) async fn reserve(
        &self,
        amounts: Amounts,
        now: Timestamp,
        (clock, most): (&dyn Clock, Duration),
    ) -> Result<Reservation, Box<Exceeded>> {
        let limiter = &self.limiter;
        let reserve = |tree: &mut Tree, now| tree.reserve(&self.passage, amounts, now);
        match limiter.step(|tree| reserve(tree, now)) {
            Err(short) if short.is_short() => limiter.waited(short, (clock, most), reserve).await,
            reserved => reserved,
        }
    }

    /// Puts what was spent in the place of what was set aside.
    pub(crate) fn settle(&self, reservation: &Reservation, spent: &Amounts, now: Timestamp) {
        let mut tree = self.limiter.tree.lock();
        tree.settle(&self.passage, reservation, spent, now);
    }

    /// Whether any limit counts it.
    pub(crate) const fn counts(&self) -> bool {
        !self.passage.is_empty()
    }

    /// Whether a limit on money counts it.
    pub(crate) const fn bounds_money(&self) -> bool {
        self.passage.bounds_money
    }

    /// Whether a limit on tokens written counts it.
    pub(crate) const fn bounds_answers(&self) -> bool {
        self.passage.bounds_answers
    }

    /// When its session's time is over.
    pub(crate) const fn until(&self) -> Option<Timestamp> {
        self.passage.until
    }

    /// How the limits stand.
    pub(crate) fn stands(&self) -> &[Stand] {
        &self.passage.stands
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let passage = std::mem::take(&mut self.passage);
        self.limiter.tree.lock().leave(passage);
    }
}

impl Standings {
    /// Notes how they stand for the first decision of the call.
    pub(crate) fn note(&self, stands: &[Stand]) {
        if !stands.is_empty() {
            self.0.get_or_init(|| stands.to_vec());
        }
    }

    /// How they stand; nothing if nothing is limited.
    pub(crate) fn get(&self) -> &[Stand] {
        self.0.get().map_or(&[], Vec::as_slice)
    }
}

/// The refusal that names the limit, whose it is, what is left and when it resets.
pub(crate) fn refusal(
    exceeded: Exceeded,
    (who, currency): (&Who<'_>, &str),
    now: Timestamp,
) -> Refusal {
    let refused_by = RefusedBy {
        group: group(exceeded.level, who),
        currency: currency.to_owned(),
        exceeded,
        now,
    };
    let mut refusal = Refusal::new(refused_by.code(), refused_by.message());
    refusal.retry_after = refused_by.wait();
    refusal.limit = Some(Box::new(refused_by));
    refusal
}

/// Where `caller` asks from.
pub(crate) fn who<'a>(caller: &'a Caller, decision: &'a plimsoll_core::Decision) -> Who<'a> {
    Who {
        tenant: &caller.tenant,
        team: caller.team.as_ref(),
        key: caller.key.as_ref(),
        user: decision.subject,
        session: decision.session.as_deref(),
        system: &decision.system,
    }
}

/// Whose allowance it is, by name; an end user is not named.
fn group(level: Level, who: &Who<'_>) -> String {
    let named = |name: &str| format!("{} {name}", level.as_str());
    match level {
        Level::Workspace => "workspace".to_owned(),
        Level::Tenant => named(who.tenant.as_str()),
        Level::Team => named(who.team.map_or("", |team| team.as_str())),
        Level::Key => named(who.key.map_or("none", |key| key.as_str())),
        Level::User => match who.user {
            Some(_) => "this user".to_owned(),
            None => "requests of this key that name no user".to_owned(),
        },
        Level::Session => named(who.session.unwrap_or("none")),
        Level::System => named(who.system.as_str()),
    }
}

impl RefusedBy {
    const fn code(&self) -> Code {
        match (self.exceeded.stop, self.exceeded.level) {
            (Stop::Unnamed, _) => Code::LimitUnnamed,
            (Stop::Slice, _) => Code::LimitsUnavailable,
            (Stop::Ceiling(Resource::Money, _), _) => Code::BudgetExceeded,
            (Stop::Time | Stop::Ceiling(_, Window::Session), _) => Code::SessionSpent,
            (Stop::Ceiling(..) | Stop::Concurrency, _) => Code::RateLimited,
        }
    }

    /// How long to wait; none if it never fits, or if waiting is no use.
    fn wait(&self) -> Option<Duration> {
        if matches!(self.exceeded.stop, Stop::Concurrency | Stop::Slice) {
            return Some(Duration::from_secs(1));
        }
        let wait = self.exceeded.resets_at?.since(self.now);
        // Whole seconds, rounded up: whoever waits as long is let in.
        Some(Duration::from_secs(
            wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
        ))
    }

    fn message(&self) -> String {
        let Exceeded {
            limit, stop, most, ..
        } = &self.exceeded;
        let group = &self.group;
        match stop {
            Stop::Ceiling(resource, window) => self.ceiling(*resource, *window),
            Stop::Concurrency => format!(
                "limit `{limit}` allows {group} {most} request(s) at a time, and as many are under way"
            ),
            Stop::Time => {
                let seconds = most / 1_000_000;
                format!("limit `{limit}` allows {group} {seconds} seconds, and they are over")
            }
            Stop::Slice => format!(
                "limit `{limit}` of {group} is shared by several nodes: this node has spent the part that it holds, and could not get more in time"
            ),
            Stop::Unnamed => {
                let header = match self.exceeded.level {
                    Level::Session => "plimsoll-session",
                    _ => "plimsoll-subject",
                };
                format!("limit `{limit}` asks for the header `{header}`")
            }
        }
    }

    fn ceiling(&self, resource: Resource, window: Window) -> String {
        let Exceeded { limit, .. } = &self.exceeded;
        let Some([most, left, wanted]) = self.exceeded.quantities() else {
            return String::new();
        };
        let unit = match resource {
            Resource::Requests => "requests",
            Resource::TokensIn => "tokens in",
            Resource::TokensOut => "tokens out",
            Resource::Money => &self.currency,
        };
        let (group, window) = (&self.group, window.as_str());
        let then = match self.exceeded.resets_at {
            Some(at) => format!("it resets at {at}"),
            None => "it would never fit".to_owned(),
        };
        format!(
            "limit `{limit}` allows {group} {most} {unit} per {window}: {left} left, and this request may need {wanted}; {then}"
        )
    }

    /// The limit as programs read it.
    pub(crate) fn json(&self) -> Value {
        let Exceeded {
            limit,
            level,
            stop,
            resets_at,
            ..
        } = &self.exceeded;
        let mut value = json!({
            "name": limit,
            "per": level.as_str(),
            "group": self.group,
            "resets_at": resets_at.map(|at| at.to_string()),
        });
        if let (Stop::Ceiling(resource, window), Some([most, left, wanted])) =
            (stop, self.exceeded.quantities())
        {
            value["resource"] = json!(resource.as_str());
            value["window"] = json!(window.as_str());
            value["most"] = json!(most.to_string());
            value["left"] = json!(left.to_string());
            value["wanted"] = json!(wanted.to_string());
        }
        value
    }

    /// How the limit stands, as headers tell it; of ceilings on requests and tokens.
    pub(crate) fn stand(&self) -> Option<Stand> {
        let Stop::Ceiling(resource, window) = self.exceeded.stop else {
            return None;
        };
        Some(Stand {
            limit: self.exceeded.limit.clone(),
            resource,
            window,
            most: self.exceeded.most,
            left: self.exceeded.left,
            resets_at: self.exceeded.resets_at?,
        })
    }

    /// When it was refused.
    pub(crate) const fn at(&self) -> Timestamp {
        self.now
    }
}
