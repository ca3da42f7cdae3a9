//! What a route is: how it is reached, who may, what it takes and gives.

use axum::routing::MethodRouter;
use plimsoll_core::access::ControlAction;
use plimsoll_spec::Role;

use crate::routes::Control;

/// One route of the control plane.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The HTTP method, in capitals.
    pub method: &'static str,
    /// The path, with `{name}` for its parameters.
    pub path: &'static str,
    /// Whether anybody who reaches the listener may ask: health and metrics only.
    pub open: bool,
    /// The roles of which a named operator needs one; with none, every operator may. The owner has all.
    pub roles: &'static [Role],
    /// Whether who works for one tenant may ask it.
    pub reach: Reach,
    /// What policies decide before it is done: every route has one that reads a payload or changes anything.
    pub action: Option<ControlAction>,
    /// Its name in client code.
    pub operation: &'static str,
    /// One sentence on what it does.
    pub summary: &'static str,
    /// What it takes beside a body.
    pub parameters: &'static [Parameter],
    /// The schema of its body, if it takes one.
    pub body: Option<&'static str>,
    /// The schema of its answer; none for text.
    pub answer: Option<Shape>,
    pub(crate) mount: fn() -> MethodRouter<Control>,
}

impl Route {
    /// A route that takes nothing, and that every operator of the whole installation may ask.
    pub(crate) const fn new(
        (method, path): (&'static str, &'static str),
        operation: &'static str,
        summary: &'static str,
        mount: fn() -> MethodRouter<Control>,
    ) -> Self {
        Self {
            method,
            path,
            open: false,
            roles: &[],
            reach: Reach::Installation,
            action: None,
            operation,
            summary,
            parameters: &[],
            body: None,
            answer: None,
            mount,
        }
    }

    pub(crate) const fn open(mut self) -> Self {
        self.open = true;
        self
    }

    pub(crate) const fn by(mut self, roles: &'static [Role]) -> Self {
        self.roles = roles;
        self
    }

    /// Also for who works for one tenant: the handler tells and changes nothing but that tenant's.
    pub(crate) const fn within_tenant(mut self) -> Self {
        self.reach = Reach::Tenant;
        self
    }

    /// Policies decide before it is done.
    pub(crate) const fn decided(mut self, action: ControlAction) -> Self {
        self.action = Some(action);
        self
    }

    pub(crate) const fn takes(mut self, parameters: &'static [Parameter]) -> Self {
        self.parameters = parameters;
        self
    }

    pub(crate) const fn reads(mut self, body: &'static str) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) const fn gives(mut self, answer: Shape) -> Self {
        self.answer = Some(answer);
        self
    }

    /// Who may ask, in words.
    pub fn who(&self) -> String {
        if self.open {
            return "whoever reaches the listener".to_owned();
        }
        if self.roles.is_empty() {
            return "every operator".to_owned();
        }
        let roles: Vec<&str> = self.roles.iter().map(|role| role.as_str()).collect();
        roles.join(", ")
    }
}

/// How far a route reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Over what all tenants share: who works for one tenant may not ask it.
    Installation,
    /// Over what is the tenant's for whom the caller works.
    Tenant,
}

/// The shape of an answer: the name of a schema of the `OpenAPI` document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// One of them.
    One(&'static str),
    /// A list under this key.
    List(&'static str, &'static str),
}

/// Where a parameter stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
}

/// A parameter of a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Where it stands.
    pub place: Place,
    /// Its JSON type: `string`, `integer` or `boolean`.
    pub kind: &'static str,
    /// What it says.
    pub summary: &'static str,
}

impl Parameter {
    /// A part of the path.
    pub(crate) const fn path(name: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            place: Place::Path,
            kind: "string",
            summary,
        }
    }

    /// A text in the query.
    pub(crate) const fn query(name: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            place: Place::Query,
            kind: "string",
            summary,
        }
    }

    /// The same, of another type.
    pub(crate) const fn of(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }
}
