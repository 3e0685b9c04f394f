//! Rules of the protocol that a special build can break, so that the harness of faults can prove
//! that it would notice.
//!
//! Without the feature `sabotage` every rule holds and the questions cost nothing.

/// A rule that can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A write under an older owner's number changes nothing.
    Fence,
    /// All sends of one payment carry one key.
    GatewayKey,
    /// What is unknown has not failed.
    Doubt,
    /// A record is decided about under its lock.
    RowLock,
    /// A stored answer is replayed word for word.
    Verbatim,
    /// What is accepted is stored before.
    Durable,
}

/// Whether a rule is broken in this process.
#[inline]
pub fn is_broken(rule: Rule) -> bool {
    #[cfg(test)]
    if BROKEN_HERE.get() == Some(rule) {
        return true;
    }
    #[cfg(feature = "sabotage")]
    return BROKEN.get() == Some(&rule);
    #[cfg(not(feature = "sabotage"))]
    {
        let _whole = rule;
        false
    }
}

#[cfg(feature = "sabotage")]
static BROKEN: std::sync::OnceLock<Rule> = std::sync::OnceLock::new();

/// Breaks a rule, by the name of the break, for as long as this process lives; false where there is
/// no such break, or another rule is broken already.
#[cfg(feature = "sabotage")]
pub fn break_rule(name: &str) -> bool {
    let rule = match name {
        "no-fence" => Rule::Fence,
        "fresh-gateway-key" => Rule::GatewayKey,
        "timeout-means-failed" => Rule::Doubt,
        "no-for-update" => Rule::RowLock,
        "answer-not-verbatim" => Rule::Verbatim,
        "early-202" => Rule::Durable,
        _ => return false,
    };
    BROKEN.set(rule).is_ok()
}

#[cfg(test)]
thread_local! {
    static BROKEN_HERE: std::cell::Cell<Option<Rule>> = const { std::cell::Cell::new(None) };
}

/// Breaks a rule for the test that runs in this thread, until what this returns is dropped.
#[cfg(test)]
pub(crate) fn break_in_this_thread(rule: Rule) -> impl Drop {
    struct Mended;
    impl Drop for Mended {
        fn drop(&mut self) {
            BROKEN_HERE.set(None);
        }
    }
    BROKEN_HERE.set(Some(rule));
    Mended
}
