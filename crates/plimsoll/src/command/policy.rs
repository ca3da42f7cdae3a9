//! `plimsoll policy`: which policies on attributes are in force, and what they would answer. Both read the
//! workspace's files, so that a policy can be tried before it is served.

use std::collections::BTreeSet;
use std::sync::Arc;

use plimsoll_console::{Actor, Grounds, ROUTES};
use plimsoll_control::figures::counted;
use plimsoll_control::table::{Align, Table};
use plimsoll_core::access::{ActionKind, ActorKind, ControlAction, Judgement, Resource};
use plimsoll_core::{Clock as _, SystemClock, Tenancy};
use plimsoll_guard::access_policy::{AccessPolicies, AccessPolicy};
use plimsoll_spec::{Role, Workspace};
use serde_json::{Value, json};

use crate::cli::{Global, PolicyCommand, PolicyExplainArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::workspace;

/// Does what was typed.
pub(crate) fn run(global: &Global, command: &PolicyCommand, out: Output) -> Outcome<Exit> {
    let workspace = workspace::load_without_secrets(global)?;
    match command {
        PolicyCommand::List => {
            let policies: Vec<Value> = workspace.access.iter().map(document).collect();
            out.show(&policies, || list_text(&workspace.access, out))?;
            Ok(Exit::Yes)
        }
        PolicyCommand::Explain(args) => explain(&workspace, args, out),
    }
}

fn document(policy: &AccessPolicy) -> Value {
    json!({
        "policy": policy.name(),
        "about": policy.about(),
        "on": policy.on(),
        "effect": policy.effect(),
        "when": policy.when(),
    })
}

fn list_text(policies: &AccessPolicies, out: Output) -> String {
    let mut table = Table::new(&[
        ("policy", Align::Left),
        ("effect", Align::Left),
        ("on", Align::Left),
        ("when", Align::Left),
        ("about", Align::Left),
    ]);
    for policy in policies.iter() {
        table.row(vec![
            policy.name().to_owned(),
            policy.effect().as_str().to_owned(),
            on_text(policy.on()),
            policy.when().to_owned(),
            policy.about().to_owned(),
        ]);
    }
    let number = counted(
        policies.own().count() as u64,
        "policy of the workspace's own",
    );
    let mut text = format!("{}\n{number}\n\nactions\n", table.render(out.paint));
    for kind in ActionKind::ALL {
        let of_kind = ControlAction::ALL.into_iter().filter(|a| a.kind() == kind);
        let names: Vec<&str> = of_kind.map(ControlAction::as_str).collect();
        text.push_str(&format!("  {:<8} {}\n", kind.as_str(), names.join(", ")));
    }
    text
}

/// The actions that a policy is about, whole kinds by their name.
fn on_text(on: &BTreeSet<ControlAction>) -> String {
    let mut words = Vec::new();
    for kind in ActionKind::ALL {
        let of_kind: Vec<_> = ControlAction::ALL
            .into_iter()
            .filter(|action| action.kind() == kind)
            .collect();
        if of_kind.iter().all(|action| on.contains(action)) {
            words.push(kind.as_str());
        } else {
            let single = of_kind.iter().filter(|action| on.contains(action));
            words.extend(single.map(|action| action.as_str()));
        }
    }
    words.join(", ")
}

fn explain(workspace: &Workspace, args: &PolicyExplainArgs, out: Output) -> Outcome<Exit> {
    let actor = actor(workspace, args);
    let resource = resource(workspace, args)?;
    let now = SystemClock::new().now();
    let grounds = Grounds {
        policies: Arc::clone(&workspace.access),
        environment: args
            .environment
            .clone()
            .unwrap_or_else(|| workspace.server.environment.clone()),
        now: args.at.map_or(now, |moment| moment.resolve(now)),
    };
    let lacking = lacking(&actor, args.action);
    let mut judgement = grounds.judge(&actor, args.action, &resource, args.purpose.as_deref());
    if let Some(lacking) = lacking.filter(|_| judgement.allowed) {
        judgement.allowed = false;
        judgement.because = lacking;
    }
    out.show(&judgement, || text(&actor, args.action, &judgement, out))?;
    Ok(Exit::when(judgement.allowed))
}

/// Who is meant: an operator of the workspace, somebody with these roles, or the owner.
fn actor(workspace: &Workspace, args: &PolicyExplainArgs) -> Actor {
    let Some(name) = &args.who else {
        return Actor {
            tenancy: Tenancy::of(args.works_for.clone()),
            ..Actor::holding_the_data("operator")
        };
    };
    let known = workspace.operators.iter().find(|known| known.name == *name);
    let mut roles: BTreeSet<Role> = args.roles.iter().copied().collect();
    if roles.is_empty() {
        roles = known.map(|known| known.roles.clone()).unwrap_or_default();
    }
    let tenant = args.works_for.clone();
    Actor {
        name: name.clone(),
        roles,
        tenancy: Tenancy::of(tenant.or_else(|| known?.tenant.clone())),
        kind: ActorKind::Operator,
    }
}

fn resource(workspace: &Workspace, args: &PolicyExplainArgs) -> Outcome<Resource> {
    let mut resource = Resource {
        tenant: args.tenant.clone(),
        author: args.author.clone(),
        age_days: args.age_days,
        ..Resource::default()
    };
    if let Some(name) = &args.system {
        let Some(system) = workspace.systems.get(name) else {
            let message = format!("the workspace has no system `{name}`");
            return Err(Failure::says(Exit::Usage, message));
        };
        let folder = workspace.folders.get(name);
        resource.system = Some(name.clone());
        resource.stakes = Some(system.stakes);
        resource.data_class = folder.map(|folder| folder.data_class).unwrap_or_default();
    }
    Ok(resource)
}

/// Which role is missing before any policy is asked.
fn lacking(actor: &Actor, action: ControlAction) -> Option<String> {
    let mut routes = ROUTES.iter();
    let route = routes.find(|route| route.action == Some(action))?;
    let refused = actor.require(route.roles).err()?;
    Some(refused.message)
}

fn text(actor: &Actor, action: ControlAction, judgement: &Judgement, out: Output) -> String {
    let answer = if judgement.allowed { "may" } else { "may not" };
    let mut table = Table::new(&[
        ("policy", Align::Left),
        ("effect", Align::Left),
        ("holds", Align::Left),
        ("looked at", Align::Left),
    ]);
    for finding in &judgement.findings {
        let attributes = finding.attributes.iter();
        let seen: Vec<String> = attributes
            .map(|(name, value)| format!("{name} = {value}"))
            .chain(finding.error.clone())
            .collect();
        table.row(vec![
            finding.policy.clone(),
            finding.effect.as_str().to_owned(),
            finding.held.as_str().to_owned(),
            seen.join(", "),
        ]);
    }
    let (name, because) = (&actor.name, &judgement.because);
    format!(
        "`{name}` {answer} {action}: {because}\n\n{}\n",
        table.render(out.paint)
    )
}
