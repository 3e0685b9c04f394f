//! Settings: whatever an operator writes, what is wrong is said line by line, and secrets stay
//! secret.

use std::collections::HashMap;
use std::fs;

use payonce_fuzzing::every_input;

use super::Layers;

/// Merging takes milliseconds.
const SLOW: usize = 50;

/// Everything that is said of the layers.
fn said(layers: &Layers) -> String {
    let settings = match layers.settings() {
        Ok(settings) => format!("{settings:?}"),
        Err(error) => {
            let error = error.to_string();
            assert!(error.lines().all(|line| !line.trim().is_empty()), "{error:?}");
            error
        }
    };
    format!("{settings}\n{:?}", layers.effective())
}

#[test]
fn a_file_is_read_or_what_is_wrong_with_it_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("own.toml");
    every_input!("settings_file", SLOW, |input: &[u8]| {
        fs::write(&file, input).expect("written");
        match Layers::merge(std::slice::from_ref(&file), &HashMap::new()) {
            Ok(layers) => {
                let effective = layers.effective().expect("what is merged shows");
                let masked = effective.iter().filter(|it| it.key == "gateway.key_secret");
                assert!(masked.map(|it| it.value.as_str()).all(|value| value == "***"));
                said(&layers);
            }
            Err(error) => {
                let error = error.to_string();
                assert_eq!(error.lines().count(), 1, "{error:?}");
                assert!(error.contains("own.toml"), "{error:?}");
            }
        }
    });
}

const CANARY: &str = "hush-hush";

#[test]
fn a_secret_is_never_repeated_whatever_is_wrong_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("own.toml");
    every_input!("settings_secret", SLOW, |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        let secret = format!("{CANARY}{text}");
        for (variable, value) in [
            ("PAYONCE__GATEWAY__KEY_SECRET", secret.clone()),
            ("PAYONCE__GATEWAY__HTTP__TOKEN", secret.clone()),
            ("PAYONCE__AUTH__METRICS_TOKEN", secret.clone()),
            ("PAYONCE__WEBHOOKS__SECRETS", secret.clone()),
            ("PAYONCE__WEBHOOKS__SECRETS", format!("whsec_aHVzaA==,{secret}")),
            ("PAYONCE__WEBHOOKS__SECRET", secret.clone()),
            ("DATABASE_URL", format!("postgres://user:{secret}@host/base")),
            ("REDIS_URL", format!("redis://user:{secret}@host/1")),
        ] {
            let variables = HashMap::from([(variable.to_owned(), value.clone())]);
            let said = Layers::merge(&[], &variables)
                .map_or_else(|error| error.to_string(), |layers| said(&layers));
            assert!(!said.contains(CANARY), "{variable}={value:?}: {said}");
        }
        let quoted = serde_json::json!(secret);
        for contents in [
            format!("[gateway]\nkey_secret = [{quoted}]"),
            format!("[gateway.key_secret]\nkey = {quoted}"),
            format!("[gateway.http]\ntoken = {{ token = {quoted} }}"),
            format!("[webhooks]\nsecrets = [[{quoted}]]"),
            format!("[auth]\nmetrics_token = {quoted}\nmetrics_token = {quoted}"),
            format!("[gateway]\nkey_secret = \"{secret}"),
        ] {
            fs::write(&file, &contents).expect("written");
            let said = Layers::merge(std::slice::from_ref(&file), &HashMap::new())
                .map_or_else(|error| error.to_string(), |layers| said(&layers));
            assert!(!said.contains(CANARY), "{contents:?}: {said}");
        }
    });
}
