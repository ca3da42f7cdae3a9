//! The keeper of what nodes share, in Redis or Valkey: slices of limits, leased in one atomic step each.
//!
//! The rules are [`plimsoll_core::limits::lease`]; [`lease.lua`](../src/lease.lua) is its step, and a test
//! holds the one against the other on a real server. All counters of one tenant carry the hash tag
//! `{tenant}`, those of the workspace and of systems `{*}`: one script call never touches two of them.
//!
//! What always holds: answers are read before the name of the server's memory, on one connection, so that
//! a server which lost its memory in between is known by another name when the answers are judged.
//! Nothing here waits for longer than it is told to.

mod keeper;

pub use keeper::{KeeperError, RedisKeeper};
