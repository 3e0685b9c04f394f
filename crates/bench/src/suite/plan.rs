//! Which cells a run consists of, in the order of a round.

use super::cell::{Cell, Group, Script, Source, Store};

/// The connections at which fresh payments are measured.
pub const CONNECTIONS: [u32; 4] = [1, 8, 64, 256];
/// The clients with which pgbench is, one payment a transaction.
pub const CLIENTS: [u32; 4] = [1, 8, 32, 64];
/// The clients with which it is with batches; more are no faster.
pub const BATCHING_CLIENTS: u32 = 4;

/// The cells of those groups; what is compared stands side by side.
pub fn cells(groups: &[Group], millions: &[u32]) -> Vec<Cell> {
    let mut all = Vec::new();
    for (connections, clients) in CONNECTIONS.into_iter().zip(CLIENTS) {
        all.push(Cell::Pgbench { script: Script::Single, clients });
        all.extend([Store::Disk, Store::Tmpfs].map(|store| Cell::fresh(store, connections)));
    }
    all.push(Cell::Pgbench { script: Script::Batched, clients: BATCHING_CLIENTS });
    for (connections, gateway) in [(64, 50), (256, 50), (1024, 20)] {
        all.push(Cell::Fresh { store: Store::Disk, connections, gateway });
    }
    all.extend(CONNECTIONS.map(|connections| Cell::fresh(Store::Sqlite, connections)));
    all.push(Cell::Bare);
    all.extend([Source::Memory, Source::Redis, Source::Postgres].map(Cell::Replays));
    all.extend([0, 3].map(|duplicates| Cell::Webhooks { duplicates }));
    all.extend(millions.iter().map(|millions| Cell::Growth { millions: *millions }));
    all.extend([64, 256].map(|connections| Cell::Memory { connections }));
    all.push(Cell::Herd);
    all.retain(|cell| {
        groups.is_empty() || groups.contains(&cell.group()) || cell.is_reference(groups)
    });
    all
}

impl Cell {
    /// Whether another group's figures are judged by this cell's.
    fn is_reference(self, groups: &[Group]) -> bool {
        self == Cell::fresh(Store::Disk, 64) && groups.contains(&Group::Webhooks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_choice_every_group_is_measured() {
        let all = cells(&[], &[0, 1]);
        for group in <Group as clap::ValueEnum>::value_variants() {
            assert!(all.iter().any(|cell| cell.group() == *group), "{group:?}");
        }
    }

    #[test]
    fn a_chosen_group_brings_what_it_is_judged_by() {
        let chosen = cells(&[Group::Webhooks], &[]);
        assert!(chosen.contains(&Cell::fresh(Store::Disk, 64)));
        assert!(!chosen.contains(&Cell::fresh(Store::Disk, 256)));
        assert!(!chosen.contains(&Cell::Bare));
    }
}
