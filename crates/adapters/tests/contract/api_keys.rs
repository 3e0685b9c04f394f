//! The keys of accounts: found by their beginnings, known by their hashes, ended for good.

use std::sync::Arc;

use payonce_domain::account::Mode;
use payonce_domain::api_key::{ApiKey, KeyName, KeyScope, NewSecret};
use payonce_domain::ports::{NewApiKey, RepositoryError};

use crate::harness::{Call, Database, Store, race};

/// A key of that account, by its number.
fn key(number: u8, account: &str) -> NewApiKey {
    let account: payonce_domain::account::AccountId = account.parse().expect("valid");
    let mut random = [0; 32];
    random[1] = number;
    let secret = NewSecret::new(account.mode(), random);
    NewApiKey {
        prefix: secret.prefix,
        hash: secret.hash,
        account,
        scope: KeyScope::Write,
        name: Some(KeyName::parse("till „3“ 🐚").expect("valid")),
    }
}

async fn keep(store: &Store, key: &NewApiKey) -> bool {
    store.api_keys.insert(key.clone()).await.expect("it inserts")
}

async fn found(store: &Store, key: &NewApiKey) -> Option<ApiKey> {
    store.api_keys.find(&key.prefix).await.expect("it finds")
}

pub async fn a_key_is_found_as_it_was_kept(database: Arc<Database>) {
    let store = database.store().await;
    for (number, scope) in [(1, KeyScope::Read), (2, KeyScope::Write)] {
        let mut new = key(number, "shop~test");
        new.scope = scope;
        if number == 2 {
            new.name = None;
        }
        assert_eq!(found(&store, &new).await, None);
        assert!(keep(&store, &new).await);
        let kept = found(&store, &new).await.expect("it is kept");
        let expected = ApiKey {
            prefix: new.prefix.clone(),
            hash: new.hash,
            account: new.account.clone(),
            scope,
            name: new.name.clone(),
            created_at: kept.created_at,
            revoked_at: None,
        };
        assert_eq!(kept, expected);
        assert_eq!(kept.account.mode(), Mode::Test);
    }
}

pub async fn of_keys_that_begin_alike_the_first_stays(database: Arc<Database>) {
    let store = database.store().await;
    let first = key(1, "shop");
    let other = NewApiKey { account: "other".parse().expect("valid"), ..first.clone() };
    let calls = (0..16).map(|number| {
        let store = store.clone();
        let key = if number % 2 == 0 { first.clone() } else { other.clone() };
        let call: Call<_> = Box::pin(async move { (keep(&store, &key).await, key.account) });
        call
    });
    let kept: Vec<_> = race(calls).await.into_iter().filter(|(is_kept, _)| *is_kept).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(found(&store, &first).await.expect("one is kept").account, kept[0].1);
}

pub async fn a_key_is_revoked_once_and_for_good(database: Arc<Database>) {
    let store = database.store().await;
    let (ended, other) = (key(1, "shop"), key(2, "shop"));
    assert!(keep(&store, &ended).await && keep(&store, &other).await);
    let calls = (0..16).map(|_| {
        let (store, prefix) = (store.clone(), ended.prefix.clone());
        let call: Call<_> =
            Box::pin(async move { store.api_keys.revoke(&prefix).await.expect("it revokes") });
        call
    });
    let before = race(calls).await;
    let good = before.iter().filter(|key| key.as_ref().is_some_and(|it| it.revoked_at.is_none()));
    assert_eq!(good.count(), 1, "{before:?}");
    let at = found(&store, &ended).await.expect("it stays known").revoked_at.expect("it ended");
    assert!(before.iter().flatten().filter_map(|it| it.revoked_at).all(|it| it == at));
    assert!(!keep(&store, &ended).await, "it does not begin again");
    assert_eq!(found(&store, &other).await.expect("it is kept").revoked_at, None);
    let unknown = store.api_keys.revoke(&key(3, "shop").prefix).await;
    assert_eq!(unknown.expect("it looks"), None);
}

pub async fn a_list_has_both_sides_of_one_account_or_everything(database: Arc<Database>) {
    let store = database.store().await;
    let keys = [key(1, "shop"), key(2, "shop~test"), key(3, "shop2"), key(4, "shop")];
    for key in &keys {
        assert!(keep(&store, key).await);
    }
    let listed = async |account: Option<&str>| {
        let account = account.map(|account| account.parse().expect("valid"));
        let listed = store.api_keys.list(account).await.expect("it lists");
        listed.into_iter().map(|key| key.prefix).collect::<Vec<_>>()
    };
    let prefix = |number: usize| keys[number].prefix.clone();
    let both = [prefix(0), prefix(3), prefix(1)];
    assert_eq!(listed(Some("shop")).await, both);
    assert_eq!(listed(Some("shop~test")).await, both);
    assert_eq!(listed(Some("nobody")).await, []);
    assert_eq!(listed(None).await.len(), 4);
}

pub async fn a_test_key_is_never_kept_for_a_live_account(database: Arc<Database>) {
    let store = database.store().await;
    for (of, with) in [("shop", "shop~test"), ("shop~test", "shop")] {
        let crossed = NewApiKey { account: with.parse().expect("valid"), ..key(1, of) };
        let refused = store.api_keys.insert(crossed.clone()).await;
        assert!(matches!(refused, Err(RepositoryError::Refused(_))), "{refused:?}");
        assert_eq!(found(&store, &crossed).await, None);
    }
}
