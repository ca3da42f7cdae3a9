//! The life of a request, from top to bottom.
//!
//! ```text
//! identify   who is asking             stage/identify.rs
//! resolve    what they ask for         stage/resolve.rs
//! admit      may they, now             stage/admit.rs
//! screen     is it fit to be asked     stage/screen.rs   → Screened<Request>
//! answer     ask                       stage/answer.rs
//! clear      is it fit to be told      stage/clear.rs    → Cleared<Answer>
//! finish     always, once              stage/finish.rs
//! ```
//!
//! The first two happen once per call, before there is a decision ([`crate::protocol`]); the rest
//! once per decision, here. Only `screen` makes a `Screened`, only `clear` makes a `Cleared`, and
//! models and callers take nothing else.

use std::collections::BTreeMap;

use plimsoll_core::decision::AttemptReason;
use plimsoll_core::ladder::{Descent, Footing};
use plimsoll_core::manifest::Mode;
use plimsoll_core::{Ladders, ModelName, Outcome, Step};

use crate::answer::{Answer, Item, Request};
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::refusal::Refusal;
use crate::stage::admit::admit;
use crate::stage::answer::{ask, repair};
use crate::stage::clear::{Cleared, clear, clear_given};
use crate::stage::finish::{Told, finish};
use crate::stage::screen::{Screened, screen};
use crate::{last_good, payload, reviews};

/// How a decision ends, before it is recorded.
pub(crate) enum Ending {
    /// With an answer.
    Answered(Outcome, Cleared<Answer>),
    /// Open, waiting for a person.
    Waiting(reviews::Waiting),
    /// Without an answer.
    Refused(Outcome, Refusal),
}

/// The life of a decision.
pub(crate) async fn decide(mut ex: Exchange, item: Item) -> Told {
    let primary = ModelName::primary();
    let request = match ex.stop.filter(|stop| stop.is_halt()) {
        None => {
            let admitted = admit(&mut ex).await;
            admitted.and_then(|()| screen(&mut ex, &item))
        }
        Some(halt) => {
            payload::keep_input(&mut ex, &item);
            Err(halt.failure())
        }
    };
    let ending = match request {
        Ok(request) => match ask_and_clear(&mut ex, &request, &primary, AttemptReason::First).await
        {
            Ok(answer) => Ending::Answered(Outcome::Served, answer),
            Err(failure) => descend(&mut ex, &item, Some(&request), failure).await,
        },
        Err(failure) => descend(&mut ex, &item, None, failure).await,
    };
    finish(ex, ending).await
}

async fn ask_and_clear(
    ex: &mut Exchange,
    request: &Screened<Request>,
    model: &ModelName,
    reason: AttemptReason,
) -> Result<Cleared<Answer>, Failure> {
    request.doubt(ex, reason)?;
    if let Some(fallback) = ex.stop.filter(|_| reason == AttemptReason::First) {
        return Err(fallback.failure());
    }
    let answer = ask(ex, request, model, reason).await?;
    let cleared = clear(ex, request, model, answer)?;
    last_good::remember(ex, request, cleared.get());
    Ok(cleared)
}

/// Down the ladders: a failure inside a step enters its own kind's ladder once, and each step's
/// answer is cleared like the first. Of a halted system nothing stands but the safe defaults: abstain,
/// or refuse. A person who steps in is heeded in observe mode too.
async fn descend(
    ex: &mut Exchange,
    item: &Item,
    request: Option<&Screened<Request>>,
    mut failure: Failure,
) -> Ending {
    let stepped_in = ex.stop.is_some_and(|stop| stop.code == failure.code());
    if ex.decision.mode == Mode::Observe && !stepped_in {
        ex.decision.kind.get_or_insert(failure.kind());
        return Ending::Refused(Outcome::Refused, failure.refusal);
    }
    let system = std::sync::Arc::clone(&ex.system);
    let manifest = system.manifest();
    let halted = ex.stop.filter(|stop| stop.is_halt());
    let halted = halted.map(|_| Ladders::new(BTreeMap::new(), manifest.abstain.is_some()));
    let ladders = halted.as_ref().unwrap_or(&manifest.ladders);
    let mut descent = Descent::new(ladders, Vec::new());
    if request.is_some() {
        descent.note_asked(&ModelName::primary());
    }
    loop {
        let footing = Footing {
            screened: request.is_some(),
            repairable: failure.uncleared.is_some(),
        };
        let step = match failure.asks_a_person() {
            true if manifest.review.is_some() && halted.is_none() => Step::Review,
            _ => descent.after(failure.kind(), footing),
        };
        ex.note_step(&failure, &step);
        payload::keep_uncleared(ex, &failure);
        if let Step::Model(name) = &step {
            descent.note_asked(name);
        }
        match take(ex, item, request, &step, failure).await {
            Ok(ending) => return ending,
            Err(next) => failure = next,
        }
    }
}

/// Takes one step; `Err` means that the step itself failed.
async fn take(
    ex: &mut Exchange,
    item: &Item,
    request: Option<&Screened<Request>>,
    step: &Step,
    failure: Failure,
) -> Result<Ending, Failure> {
    match (step, request) {
        (Step::Model(name), Some(request)) => {
            let answer = ask_and_clear(ex, request, name, AttemptReason::Ladder).await?;
            Ok(Ending::Answered(Outcome::FellBack, answer))
        }
        (Step::Repair, Some(request)) => {
            let (model, answer) = repair(ex, request, failure).await?;
            let answer = clear(ex, request, &model, answer)?;
            Ok(Ending::Answered(Outcome::Repaired, answer))
        }
        (Step::LastGood, Some(request)) => {
            let answer = last_good::recall(ex, request)?;
            Ok(Ending::Answered(
                Outcome::FellBack,
                clear_given(ex, answer)?,
            ))
        }
        (Step::Review, _) => reviews::open(ex, item, &failure).await.map(Ending::Waiting),
        (Step::Abstain, _) => {
            let value = crate::stage::answer::abstain_value(ex)?;
            Ok(Ending::Answered(
                Outcome::Abstained,
                clear_given(ex, value)?,
            ))
        }
        (Step::Shed, _) => Ok(Ending::Refused(Outcome::Shed, failure.refusal)),
        (Step::Refuse | Step::Model(_) | Step::Repair | Step::LastGood, _) => {
            Ok(Ending::Refused(Outcome::Refused, failure.refusal))
        }
    }
}
