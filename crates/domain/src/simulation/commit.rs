//! How a transaction happens: all of it at one point in time, unless that is what is broken.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use time::macros::datetime;

use super::store::Store;
use super::world::{Act, Break, Life, World};
use crate::idempotency::{Fence, IdempotencyRecord, RecordId};
use crate::payment::{NewEvent, Payment, PaymentId};
use crate::ports::RepositoryError;
use crate::sabotage::{Rule, is_broken};

const NOON: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

type Answered<T> = Result<T, RepositoryError>;

impl World {
    /// Runs a transaction and tells its answer.
    pub(super) fn commit<T: Send + 'static>(
        &mut self,
        name: &'static str,
        life: Life,
        transaction: &dyn Fn(&mut Store) -> Answered<T>,
        told: impl FnOnce(&mut Self, Answered<T>) + Send + 'static,
    ) {
        let now = i64::try_from(self.now).expect("short") + self.clock_is_off_by;
        self.store.now = NOON + time::Duration::milliseconds(now);
        self.store.broken = self.broken;
        if !self.is_torn(name) {
            let answer = transaction(&mut self.store);
            return self.committed(name, life, answer, told);
        }
        let before = self.store.clone();
        let mut after = before.clone();
        let answer = transaction(&mut after);
        let changes = Changes::between(&before, &after);
        // A unique key holds also where no row is locked.
        if is_broken(Rule::RowLock) && changes.has_inserted {
            self.store = after;
            return self.committed(name, life, answer, told);
        }
        let later = self.chance.between(1, 20);
        if self.broken == Some(Break::EarlyAcknowledgement) {
            self.committed(name, life, answer, told);
            self.then(later, Some(life), move |world| changes.save(&mut world.store));
            return;
        }
        self.then(later, Some(life), move |world| {
            changes.save(&mut world.store);
            world.committed(name, life, answer, told);
        });
    }

    fn is_torn(&self, name: &str) -> bool {
        match self.broken {
            Some(Break::CheckThenInsert) => name == "open",
            Some(Break::EarlyAcknowledgement) => ["settle", "hand over"].contains(&name),
            _ => is_broken(Rule::RowLock) && !name.ends_with("transactions"),
        }
    }

    fn committed<T>(
        &mut self,
        name: &'static str,
        life: Life,
        answer: Answered<T>,
        told: impl FnOnce(&mut Self, Answered<T>),
    ) {
        self.note(|| match &answer {
            Ok(_) => format!("the store has done for {life}: {name}"),
            Err(error) => format!("the store has failed {life} to {name}: {error}"),
        });
        if let Err(error @ RepositoryError::Inconsistent { place, source }) = &answer {
            self.violated(format!("{error} ({place}: {source})"));
        }
        for payment in std::mem::take(&mut self.store.announced) {
            if !self.chance.happens(200) {
                let after = self.chance.between(1, 20);
                self.schedule(after, None, Act::News(payment));
            }
        }
        told(self, answer);
    }
}

/// The rows that a transaction leaves otherwise than it found them.
struct Changes {
    records: Vec<(RecordId, Option<IdempotencyRecord>)>,
    payments: Vec<Payment>,
    timelines: BTreeMap<(PaymentId, Fence, i32), NewEvent>,
    has_inserted: bool,
}

impl Changes {
    fn between(before: &Store, after: &Store) -> Self {
        let changed = after.records.iter().filter(|(id, row)| before.records.get(id) != Some(row));
        let gone = before.records.keys().filter(|id| !after.records.contains_key(id));
        let payments =
            after.payments.iter().filter(|(id, row)| before.payments.get(id) != Some(row));
        Self {
            records: changed
                .map(|(id, row)| (id.clone(), Some(row.clone())))
                .chain(gone.map(|id| (id.clone(), None)))
                .collect(),
            payments: payments.map(|(_, row)| row.clone()).collect(),
            has_inserted: after.records.keys().any(|id| !before.records.contains_key(id)),
            timelines: after.timelines.clone(),
        }
    }

    /// Writes the rows, whatever has become of them meanwhile.
    fn save(self, store: &mut Store) {
        for (id, row) in self.records {
            match row {
                Some(row) => store.records.insert(id, row),
                None => store.records.remove(&id),
            };
        }
        store.payments.extend(self.payments.into_iter().map(|row| (row.id, row)));
        store.timelines.extend(self.timelines);
    }
}
