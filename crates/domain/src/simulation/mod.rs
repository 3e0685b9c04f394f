//! Deterministic runs of the core: the use cases as they are, against a store, a gateway, clocks
//! and clients in memory, all from one seed.
//!
//! The seed decides who runs next, how long everything takes, and what breaks: instances die at
//! any await and stand still for longer than their leases, commits are in doubt, late or repeated,
//! the gateway loses, delays and forgets, clocks jump, clients leave. Then all is quiet, and the
//! books must agree. One seed is one run: a run that fails is printed with its seed, and repeats.
//!
//! [`run`] is a day, [`terms`] what is drawn for it, [`world`] what everybody shares, [`store`]
//! and [`bank`] the two that keep books, [`instance`] and [`client`] those who act, [`history`]
//! what must hold.

mod bank;
mod chance;
mod client;
mod commit;
mod history;
mod instance;
mod line;
mod ports;
mod run;
mod store;
mod terms;
mod tests;
mod world;
