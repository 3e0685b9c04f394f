//! The ways in which the fake gateway can be made to break.

use std::str::FromStr;

/// What happens to a charge at the fake gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FakeGatewayMode {
    /// It fails before anything is charged.
    FailBefore,
    /// It is charged; the answer does not come.
    ChargeThenTimeout,
    /// It is charged; the connection breaks.
    ChargeThenReset,
    /// It is charged; the answer is an error.
    ErrorAfterCharge,
    /// It is charged; the answer cannot be read.
    Malformed,
    /// It is charged long after the request.
    Slow,
    /// The issuer declines it.
    Decline,
    /// It is charged; the answer names another amount.
    WrongAmount,
    /// It is refused before its key is looked at.
    NotExecuted429,
}

impl FakeGatewayMode {
    /// Every mode.
    pub const ALL: [Self; 9] = [
        Self::FailBefore,
        Self::ChargeThenTimeout,
        Self::ChargeThenReset,
        Self::ErrorAfterCharge,
        Self::Malformed,
        Self::Slow,
        Self::Decline,
        Self::WrongAmount,
        Self::NotExecuted429,
    ];

    /// The name in settings and headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FailBefore => "fail_before",
            Self::ChargeThenTimeout => "charge_then_timeout",
            Self::ChargeThenReset => "charge_then_reset",
            Self::ErrorAfterCharge => "error_after_charge",
            Self::Malformed => "malformed",
            Self::Slow => "slow",
            Self::Decline => "decline",
            Self::WrongAmount => "wrong_amount",
            Self::NotExecuted429 => "not_executed_429",
        }
    }
}

/// The name is none of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {}", FakeGatewayMode::ALL.map(FakeGatewayMode::as_str).join(", "))]
pub struct UnknownMode;

impl FromStr for FakeGatewayMode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name).ok_or(UnknownMode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_has_a_name_that_reads_back() {
        for mode in FakeGatewayMode::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        let unknown = "chaos".parse::<FakeGatewayMode>().expect_err("there is none");
        assert!(unknown.to_string().contains("fail_before, charge_then_timeout"), "{unknown}");
    }
}
