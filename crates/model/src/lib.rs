//! A model of the payment protocol, small enough that a checker tries every order of events.
//!
//! In reading order: [`state`] (what there is), [`gateway`] (what the other side does), [`store`]
//! (the transactions, as in the domain's `IdempotencyRecord`), `handler`, `recovery` and `owner`
//! (who calls them and when, as in the domain's `CreatePayment` and `PayPayment`), `surroundings`
//! (crashes, pauses, late messages, time), [`properties`] (what must hold), [`mutations`] (rules
//! that can be switched off), [`protocol`] (all of it as a model) and [`check`] (one run).
//!
//! Every budget is finite and everything else happens at most once or moves forward, so the graph
//! of states has no cycle: "resolved wherever nothing is left to do" is then all of liveness.

pub mod actions;
pub mod check;
pub mod gateway;
mod handler;
pub mod mutations;
mod owner;
pub mod properties;
pub mod protocol;
mod recovery;
pub mod size;
pub mod state;
pub mod store;
mod surroundings;
pub mod words;
