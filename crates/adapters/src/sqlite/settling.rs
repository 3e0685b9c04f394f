//! Settling without a look at what is settled: an owner knows what its record says as long as it is the
//! owner's, and the statement that settles it finds no other.

use diesel::RunQueryDsl;
use diesel::sqlite::SqliteConnection;
use payonce_domain::ports::{Settle, Settled};
use payonce_domain::sabotage::{Rule, is_broken};

use crate::store::error::StoreError;
use crate::store::prepared::SettleOwned;
use crate::store::settled_row::{SettledRow, settled};
use crate::store::statements::Statements;
use crate::store::transactions;

/// Stores a final state and its answer; lets the record decide where it is not its owner's any more.
pub fn settle(conn: &mut SqliteConnection, call: &Settle) -> Result<Settled, StoreError> {
    let now = conn.now()?;
    let is_owned =
        !is_broken(Rule::Fence) && SettleOwned(&SettledRow::of(call, now)).execute(conn)? == 1;
    if !is_owned {
        return transactions::settle(conn, call);
    }
    transactions::finish(conn, call, now)?;
    Ok(settled(call.answer.clone(), call.retention, call.opened_by.clone(), now))
}
