//! `payonce transactions dead|retry`.

use payonce_domain::account::AccountId;
use payonce_domain::ports::{RepositoryError, TransactionRepository};
use payonce_domain::transaction::{Transaction, TransactionId, TransactionKey};

use super::{chain, print, runtime};
use crate::cli::{CommandError, DeadTransactions, RetryTransactions, Sources, TransactionsAction};
use crate::http::rfc3339;
use crate::settings::Layers;
use crate::wiring::Store;

/// Lists dead transactions, or makes some of them due again.
pub(crate) fn transactions(
    sources: &Sources,
    action: TransactionsAction,
) -> Result<(), CommandError> {
    let settings = Layers::load(&sources.files)?.settings()?;
    let lines = runtime()?.block_on(async {
        let store = Store::new(&settings.database)
            .map_err(|error| CommandError::failed("database.url", error))?;
        let lines = match action {
            TransactionsAction::Dead(which) => dead(&*store.transactions, &which).await,
            TransactionsAction::Retry(which) => retry(&*store.transactions, &which).await,
        };
        store.upkeep.close();
        lines
    })?;
    print(lines)
}

async fn dead(
    transactions: &dyn TransactionRepository,
    which: &DeadTransactions,
) -> Result<Vec<String>, CommandError> {
    let account = account(&which.account)?;
    let dead = transactions.dead(&account, which.limit).await.map_err(reading)?;
    match dead.is_empty() {
        true => Ok(vec!["no transaction is dead".to_owned()]),
        false => Ok(dead.iter().map(line).collect()),
    }
}

/// At most so many at a time with `--all`; the command may be repeated.
const MOST_AT_ONCE: u32 = 1_000;

async fn retry(
    transactions: &dyn TransactionRepository,
    which: &RetryTransactions,
) -> Result<Vec<String>, CommandError> {
    let account = account(&which.account)?;
    let keys: Vec<_> = if which.all {
        let dead = transactions.dead(&account, MOST_AT_ONCE).await.map_err(reading)?;
        dead.into_iter().map(|one| one.key).collect()
    } else {
        let ids = which.ids.iter().map(TransactionId::parse);
        let ids = ids.collect::<Result<Vec<_>, _>>();
        let ids = ids.map_err(|error| CommandError::failed("a transaction's id", error))?;
        ids.into_iter().map(|id| TransactionKey { account: account.clone(), id }).collect()
    };
    let mut lines = Vec::new();
    let mut not_dead = Vec::new();
    for key in keys {
        let revived = transactions.revive(&key).await;
        let failed = |error| CommandError::failed("retrying a transaction", chain(error));
        match revived.map_err(failed)? {
            true => lines.push(format!("{} is due again", key.id)),
            false => not_dead.push(key.id.to_string()),
        }
    }
    // With `--all`, somebody else was quicker.
    if !which.all && !not_dead.is_empty() {
        let (due, not_dead) = (lines.len(), not_dead.join(", "));
        let message = format!("{due} due again; no dead transaction is called {not_dead}");
        return Err(CommandError::Failed(message));
    }
    if lines.is_empty() {
        lines.push("no transaction is dead".to_owned());
    }
    Ok(lines)
}

fn account(name: &str) -> Result<AccountId, CommandError> {
    name.parse().map_err(|error| CommandError::failed("--account", error))
}

fn reading(error: RepositoryError) -> CommandError {
    CommandError::failed("reading the dead transactions", chain(error))
}

fn line(transaction: &Transaction) -> String {
    let (contents, attempts) = (&transaction.contents, transaction.attempts);
    let at = rfc3339(transaction.created_at);
    let failure = transaction.last_failure.as_deref().unwrap_or_default();
    let money = format!("{} {}", contents.money, contents.money.currency());
    format!("{at}  {}  {money}  attempts {attempts}  {failure}", transaction.key.id)
}
