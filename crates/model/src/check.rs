//! One run of the checker: every state that the protocol can reach, every property in each.

use std::time::{Duration, Instant};

use stateright::{Checker, Expectation, HasDiscoveries, Model, Path};

use crate::actions::Action;
use crate::protocol::Protocol;
use crate::state::State;

/// What a run found out about a property.
#[derive(Debug)]
pub enum Verdict {
    /// It holds in every state.
    Holds,
    /// It is broken: the events that lead there.
    Broken(Vec<(State, Option<Action>)>),
    /// It was seen.
    Seen,
    /// It should be reachable, and is not.
    NeverSeen,
}

impl Verdict {
    /// Whether it is what was asked for.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Holds | Self::Seen)
    }
}

/// What a run found out.
#[derive(Debug)]
pub struct Outcome {
    /// States, each counted once.
    pub unique_states: usize,
    /// States, as often as they were reached.
    pub generated_states: usize,
    /// Events on the longest of the shortest ways to a state.
    pub depth: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether every state was visited: a run ends early when a rule is broken.
    pub is_complete: bool,
    /// Each property by name.
    pub verdicts: Vec<(&'static str, Verdict)>,
}

impl Outcome {
    /// Whether every rule holds and everything that should be seen was.
    pub fn is_good(&self) -> bool {
        self.verdicts.iter().all(|(_, verdict)| verdict.is_good())
    }

    /// The rules that are broken, each with the number of events that it takes.
    pub fn broken(&self) -> Vec<(&'static str, usize)> {
        let broken = self.verdicts.iter().filter_map(|(name, verdict)| match verdict {
            Verdict::Broken(path) => Some((*name, events(path))),
            _ => None,
        });
        broken.collect()
    }

    fn shortest_break(&self) -> Option<usize> {
        self.broken().into_iter().map(|(_, events)| events).min()
    }
}

/// Visits every state; where a rule is broken, stops and finds the shortest way there.
pub fn run(protocol: Protocol, threads: usize) -> Outcome {
    let began = Instant::now();
    let mut outcome = visit(protocol, threads, None);
    // The checker keeps the last way that it met, so it is asked for a shorter one until there is
    // none.
    while let Some(shortest) = outcome.shortest_break() {
        let shorter = visit(protocol, 1, Some(shortest));
        if shorter.shortest_break().is_none() {
            break;
        }
        outcome = shorter;
    }
    outcome.elapsed = began.elapsed();
    outcome
}

/// Visits the states that take fewer events than `limit`.
fn visit(protocol: Protocol, threads: usize, limit: Option<usize>) -> Outcome {
    let began = Instant::now();
    let mut checker = protocol.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures);
    if let Some(limit) = limit {
        // The checker counts states: one more than events, the last of which it leaves out.
        checker = checker.target_max_depth(limit.saturating_add(1));
    }
    let checker = checker.spawn_bfs().join();
    let elapsed = began.elapsed();
    let mut discoveries = checker.discoveries();
    let is_failure = |expectation: &Expectation| !matches!(expectation, Expectation::Sometimes);
    let verdicts: Vec<_> = protocol
        .properties()
        .into_iter()
        .map(|property| {
            let path = discoveries.remove(property.name).map(Path::into_vec);
            let verdict = match (is_failure(&property.expectation), path) {
                (true, None) => Verdict::Holds,
                (true, Some(path)) => Verdict::Broken(path),
                (false, Some(_)) => Verdict::Seen,
                (false, None) => Verdict::NeverSeen,
            };
            (property.name, verdict)
        })
        .collect();
    Outcome {
        unique_states: checker.unique_state_count(),
        generated_states: checker.state_count(),
        depth: checker.max_depth().saturating_sub(1),
        elapsed,
        is_complete: !verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::Broken(_))),
        verdicts,
    }
}

fn events(path: &[(State, Option<Action>)]) -> usize {
    path.len().saturating_sub(1)
}
