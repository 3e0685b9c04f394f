//! What may be concluded from an answer: the tables of the gateway protocol, row by row.
//!
//! Whatever stands in no row proves nothing.

use payonce_domain::gateway::{
    Charge, ChargeOutcome, Decline, GatewayKey, LookUpOutcome, VoidOutcome,
};
use payonce_domain::text::Text;
use serde::Deserialize;
use uuid::Uuid;

use super::exchange::{Answer, Failure};

/// What a charge must carry to be the one that was asked for.
#[derive(Debug)]
pub struct Asked {
    pub key: GatewayKey,
    pub amount: String,
    pub currency: String,
}

/// A charge on the wire.
#[derive(Deserialize)]
struct ChargeBody {
    id: Option<String>,
    key: Uuid,
    status: Status,
    amount: Option<String>,
    currency: Option<String>,
    decline_code: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Approved,
    Declined,
    Voided,
}

/// An error on the wire.
#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorCode,
    charge: Option<ChargeBody>,
}

#[derive(Deserialize)]
struct ErrorCode {
    code: String,
}

/// A charge that was recognised as ours.
enum Ended {
    Approved(Charge),
    Declined(Decline),
    Voided,
}

/// Concludes from the answer to a charge.
pub fn of_charge(exchanged: Result<Answer, Failure>, asked: &Asked) -> ChargeOutcome {
    let answer = match exchanged {
        Ok(answer) => answer,
        Err(Failure::NotSent(reason)) => return ChargeOutcome::Unreachable { reason },
        Err(Failure::Broken(reason)) => return ChargeOutcome::Unknown { reason },
    };
    match answer.status {
        200 | 201 => match answer.charge(asked) {
            Ok(Ended::Approved(charge)) => ChargeOutcome::Approved(charge),
            Ok(Ended::Declined(decline)) => ChargeOutcome::Declined(decline),
            Ok(Ended::Voided) => ChargeOutcome::Voided,
            Err(reason) => ChargeOutcome::Unknown { reason },
        },
        410 if answer.has_code("key_voided") => ChargeOutcome::Voided,
        400 | 401 | 403 | 404 | 405 | 413 | 415 | 429 => ChargeOutcome::NotExecuted {
            reason: answer.in_words(),
            retry_after: answer.retry_after,
        },
        422 => {
            alarm(asked, "the gateway knows the key with other contents");
            ChargeOutcome::Unknown { reason: answer.in_words() }
        }
        _ => ChargeOutcome::Unknown { reason: answer.in_words() },
    }
}

/// Concludes from the answer to a look-up.
pub fn of_look_up(exchanged: Result<Answer, Failure>, asked: &Asked) -> LookUpOutcome {
    let answer = match exchanged {
        Ok(answer) => answer,
        Err(failure) => return LookUpOutcome::Nothing { reason: failure.in_words() },
    };
    if answer.status == 404 && answer.has_code("not_found") {
        return LookUpOutcome::Unseen { reason: answer.in_words() };
    }
    if answer.status != 200 {
        return LookUpOutcome::Nothing { reason: answer.in_words() };
    }
    match answer.charge(asked) {
        Ok(Ended::Approved(charge)) => LookUpOutcome::Approved(charge),
        Ok(Ended::Declined(decline)) => LookUpOutcome::Declined(decline),
        Ok(Ended::Voided) => LookUpOutcome::Voided,
        Err(reason) => LookUpOutcome::Nothing { reason },
    }
}

/// Concludes from the answer to a void.
pub fn of_void(exchanged: Result<Answer, Failure>, asked: &Asked) -> VoidOutcome {
    let answer = match exchanged {
        Ok(answer) => answer,
        Err(failure) => return VoidOutcome::Nothing { reason: failure.in_words() },
    };
    let ended = match answer.status {
        200 => answer.charge(asked),
        409 if answer.has_code("charge_settled") => answer.settled_charge(asked),
        _ => Err(answer.in_words()),
    };
    match (answer.status, ended) {
        (200, Ok(Ended::Voided)) => VoidOutcome::Voided,
        (200, Ok(Ended::Declined(decline))) => VoidOutcome::Declined(decline),
        (409, Ok(Ended::Approved(charge))) => VoidOutcome::Settled(charge),
        (_, Ok(_)) => VoidOutcome::Nothing { reason: answer.in_words() },
        (_, Err(reason)) => VoidOutcome::Nothing { reason },
    }
}

impl Failure {
    fn in_words(self) -> String {
        match self {
            Self::NotSent(reason) | Self::Broken(reason) => reason,
        }
    }
}

impl Answer {
    fn charge(&self, asked: &Asked) -> Result<Ended, String> {
        let body: ChargeBody = self.read().ok_or_else(|| self.unreadable())?;
        ours(body, asked).map_err(|strange| format!("{}: {strange}", self.status))
    }

    /// The charge beside an error.
    fn settled_charge(&self, asked: &Asked) -> Result<Ended, String> {
        let body: ErrorBody = self.read().ok_or_else(|| self.unreadable())?;
        let charge = body.charge.ok_or_else(|| self.unreadable())?;
        ours(charge, asked).map_err(|strange| format!("{}: {strange}", self.status))
    }

    fn has_code(&self, code: &str) -> bool {
        self.read().is_some_and(|body: ErrorBody| body.error.code == code)
    }

    fn read<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        if !self.is_json {
            return None;
        }
        // The library reads members that it passes over without asking for UTF-8, which JSON is.
        let body = std::str::from_utf8(&self.body).ok()?;
        serde_json::from_str(body).ok()
    }

    fn unreadable(&self) -> String {
        format!("{} with an unreadable body", self.status)
    }

    fn in_words(&self) -> String {
        let code = self.read().map(|body: ErrorBody| body.error.code);
        let is_plain =
            |code: &String| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        match code.filter(|code| code.len() <= 40 && is_plain(code)) {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }
}

/// What a charge proves, if it is the one that was asked for; else what is strange about it.
fn ours(body: ChargeBody, asked: &Asked) -> Result<Ended, &'static str> {
    // A key that was burnt before any charge came has neither amount nor currency.
    let is_same = |found: &Option<String>, wanted: &str| match found {
        Some(found) => found == wanted,
        None => body.status == Status::Voided,
    };
    let strange = if body.key != asked.key.0 {
        Some("a charge of another key")
    } else if !is_same(&body.amount, &asked.amount) {
        Some("a charge of another amount")
    } else if !is_same(&body.currency, &asked.currency) {
        Some("a charge in another currency")
    } else {
        None
    };
    if let Some(strange) = strange {
        alarm(asked, strange);
        return Err(strange);
    }
    // The same rule that a store has for texts: what breaks it could never be written down.
    let text =
        |text: Option<String>| text.filter(|text| Text::<1, 255>::parse(text.as_str()).is_ok());
    Ok(match body.status {
        Status::Approved => {
            Ended::Approved(Charge { reference: text(body.id).ok_or("a charge without an id")? })
        }
        Status::Declined => {
            Ended::Declined(Decline { reference: text(body.id), code: text(body.decline_code) })
        }
        Status::Voided => Ended::Voided,
    })
}

/// Nothing that a gateway may do by itself: somebody has to compare the books.
fn alarm(asked: &Asked, what: &str) {
    tracing::error!(
        gateway_key = %asked.key,
        amount = asked.amount,
        currency = asked.currency,
        "{what}: compare the gateway's books with the payment of this gateway key"
    );
}
