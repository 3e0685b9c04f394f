//! What a run came to, for people and programs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::Failure;
use crate::checker::Findings;
use crate::clients::LoadTerms;
use crate::options::Options;
use crate::page;
use crate::timeline::Noted;

/// One mode.
#[derive(Debug, Serialize)]
pub struct ModeReport {
    /// Its name; of a proof, the break's too.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// How its clients behaved.
    pub load: Option<LoadTerms>,
    /// Why it could not be run, where that is so.
    pub skipped: Option<String>,
    /// Seconds from its start to its verdict.
    pub seconds: u64,
    /// Payments that clients made.
    pub payments: u64,
    /// Requests that clients sent for them.
    pub requests: u64,
    /// Webhooks that clients sent.
    pub webhooks: u64,
    /// How often each fault was injected.
    pub faults: BTreeMap<String, u64>,
    /// How often the gateway played each trick.
    pub tricks: BTreeMap<String, u64>,
    /// Charges that moved money.
    pub charges: u64,
    /// Keys that were burnt.
    pub voids: u64,
    /// What else was measured.
    pub notes: Vec<String>,
    /// What was wrong.
    pub findings: Findings,
    /// What happened when.
    pub timeline: Noted,
}

impl ModeReport {
    /// Whether it went as it must.
    pub fn is_clean(&self) -> bool {
        self.findings.is_clean()
    }

    /// One line.
    pub fn line(&self) -> String {
        if let Some(why) = &self.skipped {
            return format!("{:<12} not run: {why}", self.name);
        }
        let faults: Vec<_> =
            self.faults.iter().map(|(what, times)| format!("{times} {what}")).collect();
        let broken: Vec<_> = self
            .findings
            .broken
            .iter()
            .filter(|(_, times)| **times > 0)
            .map(|(rule, times)| format!("{times} {}", rule.in_words()))
            .collect();
        let verdict =
            if broken.is_empty() { "sound".to_owned() } else { broken.join(", ").to_uppercase() };
        let reviews = self.findings.states.get("NEEDS_REVIEW").copied().unwrap_or(0);
        format!(
            "{:<12} {verdict}: {} payments, {} requests, {} webhooks, {} taken over, {reviews} in review, {} s; {}",
            self.name,
            self.payments,
            self.requests,
            self.webhooks,
            self.findings.taken_over,
            self.seconds,
            faults.join(", "),
        )
    }
}

/// All of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What was asked for.
    pub options: Options,
    /// The seed of everything.
    pub seed: u64,
    /// One line.
    pub verdict: String,
    /// The modes, in order.
    pub modes: Vec<ModeReport>,
}

impl Report {
    /// Writes it down, for programs and as a page.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("report.json"), serde_json::to_vec_pretty(self)?)?;
        std::fs::write(folder.join("timeline.html"), page::page(self))?;
        Ok(())
    }
}
