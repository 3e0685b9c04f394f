//! `payonce keys create|list|revoke`.

use payonce_domain::account::AccountId;
use payonce_domain::api_key::{ApiKey, KeyName, KeyPrefix};
use payonce_domain::ports::RepositoryError;
use payonce_domain::use_cases::CreateKeyCommand;

use super::{chain, print, runtime};
use crate::cli::{CommandError, KeyToCreate, KeysAction, Sources};
use crate::http::rfc3339;
use crate::settings::Layers;
use crate::wiring::{Store, create_key};

/// Makes, lists or ends keys.
pub(crate) fn keys(sources: &Sources, action: KeysAction) -> Result<(), CommandError> {
    let settings = Layers::load(&sources.files)?.settings()?;
    let lines = runtime()?.block_on(async {
        let store = Store::new(&settings.database)
            .map_err(|error| CommandError::failed("database.url", error))?;
        let lines = match action {
            KeysAction::Create(which) => create(&store, which).await,
            KeysAction::List { account } => list(&store, account.as_deref()).await,
            KeysAction::Revoke { key } => revoke(&store, &key).await,
        };
        store.upkeep.close();
        lines
    })?;
    print(lines)
}

async fn create(store: &Store, wanted: KeyToCreate) -> Result<Vec<String>, CommandError> {
    let account = account(&wanted.account)?;
    if account.name() != account.as_str() {
        let rule = "--account: a side of an account is chosen by --mode";
        return Err(CommandError::Failed(rule.to_owned()));
    }
    let name = wanted.name.map(KeyName::parse).transpose();
    let command = CreateKeyCommand {
        account,
        mode: wanted.mode.into(),
        scope: wanted.scope.into(),
        name: name.map_err(|error| CommandError::failed("--name", error))?,
    };
    let created = create_key(store).execute(command).await;
    let created = created.map_err(|error| CommandError::failed("making a key", chain(error)))?;
    eprintln!("{} is shown this once; what is kept cannot show it again.", created.prefix);
    Ok(vec![created.expose().to_owned()])
}

async fn list(store: &Store, name: Option<&str>) -> Result<Vec<String>, CommandError> {
    let keys = store.api_keys.list(name.map(account).transpose()?).await;
    let keys = keys.map_err(|error| CommandError::failed("reading the keys", chain(error)))?;
    match keys.is_empty() {
        true => Ok(vec!["there is no key".to_owned()]),
        false => Ok(keys.iter().map(line).collect()),
    }
}

async fn revoke(store: &Store, key: &str) -> Result<Vec<String>, CommandError> {
    let prefix = KeyPrefix::parse(key);
    let prefix = prefix.map_err(|error| CommandError::failed("the key's beginning", error))?;
    let failed = |error: RepositoryError| CommandError::failed("revoking the key", chain(error));
    match store.api_keys.revoke(&prefix).await.map_err(failed)? {
        None => Err(CommandError::Failed(format!("no key begins with {prefix}"))),
        Some(ApiKey { revoked_at: Some(at), .. }) => {
            Ok(vec![format!("{prefix} was revoked before, at {}", rfc3339(at))])
        }
        Some(_) => Ok(vec![format!("{prefix} is revoked, everywhere within 5 seconds")]),
    }
}

fn account(name: &str) -> Result<AccountId, CommandError> {
    name.parse().map_err(|error| CommandError::failed("--account", error))
}

fn line(key: &ApiKey) -> String {
    let (account, mode) = (key.account.name(), key.account.mode().as_str());
    let (scope, created) = (key.scope.as_str(), rfc3339(key.created_at));
    let state = match key.revoked_at {
        Some(at) => format!("revoked {}", rfc3339(at)),
        None => "good".to_owned(),
    };
    let name = key.name.as_ref().map_or("", |name| name.as_str());
    format!("{}  {account}  {mode}  {scope:<5}  created {created}  {state}  {name}", key.prefix)
        .trim_end()
        .to_owned()
}
