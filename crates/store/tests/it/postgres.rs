//! What only PostgreSQL has: roles and policies, days, other nodes, and a server that can go away.

pub(crate) mod server;

mod days;
mod nodes;
mod outage;
mod schema;
mod security;
