//! The build that serves has no way in for the harness of faults.

const PAYONCE: &str = env!("CARGO_BIN_EXE_payonce");

fn holds(binary: &[u8], word: &str) -> bool {
    binary.windows(word.len()).any(|window| window == word.as_bytes())
}

#[test]
fn a_build_without_features_can_be_neither_sabotaged_nor_ended_at_a_failpoint() {
    let binary = std::fs::read(PAYONCE).expect("it was built");
    // The search finds what is there.
    assert!(holds(&binary, "DATABASE_URL"));
    for word in ["PAYONCE_SABOTAGE", "PAYONCE_FAILPOINT", "answer-not-verbatim"] {
        assert!(!holds(&binary, word), "{word} is in it");
    }
}

#[test]
fn no_crate_asks_for_the_faults_of_another_by_default() {
    for manifest in [
        include_str!("../../Cargo.toml"),
        include_str!("../../../adapters/Cargo.toml"),
        include_str!("../../../domain/Cargo.toml"),
    ] {
        let defaults = manifest.lines().find(|line| line.starts_with("default ="));
        let is_asked = |word: &str| defaults.is_some_and(|line| line.contains(word));
        assert!(!is_asked("failpoints") && !is_asked("sabotage"), "{defaults:?}");
    }
}
