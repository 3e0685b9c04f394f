//! `payonce keys`, with the real binary.

use std::sync::Arc;

use crate::app::{BODY, Database, TestApp};
use crate::auth::KEYS;
use crate::cli::run;

pub async fn a_key_is_made_listed_and_revoked_by_command(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[KEYS]).await;
    let url = [("DATABASE_URL", database.url())];
    let keys = async |arguments: &[&str]| run(&url, &[&["keys"][..], arguments].concat()).await;

    assert_eq!(keys(&["list"]).await.out, "there is no key\n");
    let made = keys(&["create", "--account", "shop", "--mode", "live", "--name", "till 3"]).await;
    assert_eq!(made.code, Some(0), "{}", made.err);
    let key = made.out.trim_end();
    assert!(key.starts_with("po_live_") && key.len() == 58, "{key}");
    assert!(made.err.contains("this once") && !made.err.contains(key), "{}", made.err);
    app.with_key(key).pay("k", BODY).await.is_first();

    let tests = keys(&["create", "--account", "shop", "--scope", "read"]).await;
    assert!(tests.out.starts_with("po_test_"), "{}", tests.out);
    let listed = keys(&["list", "--account", "shop"]).await.out;
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(lines.len(), 2, "{listed}");
    for word in [&key[..20], "shop", "live", "write", "created ", "good", "till 3"] {
        assert!(lines[0].contains(word), "{word}: {listed}");
    }
    assert!(lines[1].contains("test") && lines[1].contains("read"), "{listed}");
    assert!(!listed.contains(&key[20..]) && !listed.contains(&tests.out[20..]), "{listed}");
    assert_eq!(keys(&["list", "--account", "nobody"]).await.out, "there is no key\n");

    for (named, said) in [(&key[..20], "is revoked"), (key, "was revoked before")] {
        let revoked = keys(&["revoke", named]).await;
        assert_eq!(revoked.code, Some(0), "{}", revoked.err);
        assert!(revoked.out.contains(said) && !revoked.out.contains(key), "{}", revoked.out);
    }
    assert!(keys(&["list"]).await.out.contains("revoked 20"));
    let fresh = TestApp::spawn(&database, &[KEYS]).await;
    fresh.with_key(key).pay("k", BODY).await.is_refused(401, "unauthenticated");
}

pub async fn a_wrong_word_about_keys_is_named(database: Arc<Database>) {
    let _app = TestApp::spawn(&database, &[]).await;
    let url = [("DATABASE_URL", database.url())];
    for (arguments, code, named) in [
        (&["create", "--account", "Shop"][..], 1, "--account"),
        (&["create", "--account", "shop~test"], 1, "--mode"),
        (&["create", "--name", ""], 1, "--name"),
        (&["create", "--mode", "prod"], 2, "--mode"),
        (&["create", "--scope", "admin"], 2, "--scope"),
        (&["list", "--account", "a b"], 1, "--account"),
        (&["revoke", "po_live_1"], 1, "beginning"),
        (&["revoke", "po_live_000000000000"], 1, "no key begins"),
        (&["revoke"], 2, "<KEY>"),
    ] {
        let ended = run(&url, &[&["keys"][..], arguments].concat()).await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains(named), "{arguments:?}: {}", ended.err);
        assert_eq!(ended.out, "");
    }
    assert_eq!(database.number("SELECT count(*) FROM api_keys"), 0);
}
