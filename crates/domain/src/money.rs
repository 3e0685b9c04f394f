//! Amounts of money as whole minor units of an ISO 4217 currency.
//!
//! No floating point number ever touches an amount. Must not know how an amount is spelled in a
//! body beyond its decimal text.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

/// A currency that can be paid in: an ISO 4217 code with a defined number of decimals.
///
/// Precious metals, test codes and the "no currency" code have no minor unit and are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency {
    iso: iso_currency::Currency,
    exponent: u32,
}

impl Currency {
    /// The three capital letters of ISO 4217.
    pub fn code(self) -> &'static str {
        self.iso.code()
    }

    /// Number of decimals: 2 for USD, 0 for JPY, 3 for BHD.
    pub fn exponent(self) -> u32 {
        self.exponent
    }
}

impl FromStr for Currency {
    type Err = InvalidCurrency;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        let iso = iso_currency::Currency::from_code(code).ok_or(InvalidCurrency)?;
        let exponent = iso.exponent().ok_or(InvalidCurrency)?;
        Ok(Self { iso, exponent: u32::from(exponent) })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The code is not a currency that can be paid in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an ISO 4217 currency code of three capital letters, such as USD")]
pub struct InvalidCurrency;

/// A positive amount of one currency, in minor units (cents for USD).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// An amount from its minor units; zero and negative amounts are refused.
    pub fn from_minor(minor: i64, currency: Currency) -> Result<Self, InvalidMoney> {
        if minor <= 0 {
            return Err(InvalidMoney::NotPositive);
        }
        Ok(Self { minor, currency })
    }

    /// Reads an exact decimal in major units, spelled like a JSON number (RFC 8259, section 6):
    /// `100`, `100.00` and `1e2` are the same amount.
    ///
    /// Fails when the text is no such number, is not positive, has more decimals than the
    /// currency, or does not fit the stored range.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, InvalidMoney> {
        let (mantissa, exponent) = split_exponent(text)?;
        let mantissa = parse_mantissa(mantissa)?;
        if mantissa.is_zero() {
            return Err(InvalidMoney::NotPositive);
        }
        let shift = i64::from(currency.exponent)
            .checked_add(exponent)
            .and_then(|shift| shift.checked_sub(i64::from(mantissa.scale())))
            .ok_or(InvalidMoney::OutOfRange)?;
        // The mantissa has no trailing zeros, so a negative shift always leaves a remainder.
        let shift = u32::try_from(shift)
            .map_err(|_negative| InvalidMoney::TooManyDecimals { allowed: currency.exponent })?;
        let minor = 10_i128
            .checked_pow(shift)
            .and_then(|factor| mantissa.mantissa().checked_mul(factor))
            .and_then(|minor| i64::try_from(minor).ok())
            .ok_or(InvalidMoney::OutOfRange)?;
        Self::from_minor(minor, currency)
    }

    /// Whole minor units; always positive.
    pub fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// The sum, or `None` when the currencies differ or the range is left.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        let minor = self.minor.checked_add(other.minor)?;
        Some(Self { minor, ..self })
    }
}

/// Major units with exactly the currency's number of decimals: `100.00`, JPY `100`, BHD `1.000`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let major = Decimal::from_i128_with_scale(i128::from(self.minor), self.currency.exponent);
        write!(f, "{major}")
    }
}

/// Why a text is not an amount; the words are meant for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMoney {
    /// The text is not a decimal number.
    #[error("must be a decimal number, such as 100.00")]
    NotANumber,
    /// Zero or less.
    #[error("must be greater than zero")]
    NotPositive,
    /// More decimals than the currency has.
    #[error("must not have more than {allowed} decimals in this currency")]
    TooManyDecimals {
        /// What the currency has.
        allowed: u32,
    },
    /// Larger than can be stored.
    #[error("is larger than this service can store")]
    OutOfRange,
}

fn split_exponent(text: &str) -> Result<(&str, i64), InvalidMoney> {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return Ok((text, 0));
    };
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidMoney::NotANumber);
    }
    // An exponent of ten and more digits is outside every range; the sign does not matter.
    let exponent = exponent.parse::<i32>().map_err(|_too_long| InvalidMoney::OutOfRange)?;
    Ok((mantissa, i64::from(exponent)))
}

/// The digits before the exponent, without trailing zeros.
fn parse_mantissa(text: &str) -> Result<Decimal, InvalidMoney> {
    // The library also takes `+1`, `.5`, `1_000` and `007`, which are no JSON numbers.
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
    if !is_digits(whole) || !is_digits(fraction) || has_leading_zero {
        return Err(InvalidMoney::NotANumber);
    }
    if text.starts_with('-') {
        return Err(InvalidMoney::NotPositive);
    }
    match Decimal::from_str_exact(text) {
        Ok(decimal) => Ok(decimal.normalize()),
        Err(rust_decimal::Error::Underflow) => {
            Err(InvalidMoney::TooManyDecimals { allowed: Decimal::MAX_SCALE })
        }
        Err(_exceeds) => Err(InvalidMoney::OutOfRange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn currency(code: &str) -> Currency {
        code.parse().expect("a known code")
    }

    fn parse(text: &str, code: &str) -> Result<(i64, String), InvalidMoney> {
        Money::parse(text, currency(code)).map(|money| (money.minor(), money.to_string()))
    }

    #[test]
    fn every_exact_spelling_of_an_amount_is_the_same_money() {
        for text in ["100", "100.00", "100.0", "1e2", "1E+2", "1.0e2", "1000e-1", "100.000000"] {
            assert_eq!(parse(text, "USD"), Ok((10_000, "100.00".to_owned())), "{text}");
        }
    }

    #[test]
    fn each_currency_keeps_its_own_number_of_decimals() {
        for (code, exponent) in [
            ("USD", 2),
            ("EUR", 2),
            ("JPY", 0),
            ("KRW", 0),
            ("ISK", 0),
            ("CLP", 0),
            ("UGX", 0),
            ("VND", 0),
            ("XAF", 0),
            ("BHD", 3),
            ("IQD", 3),
            ("JOD", 3),
            ("KWD", 3),
            ("LYD", 3),
            ("OMR", 3),
            ("TND", 3),
            ("CLF", 4),
            ("UYW", 4),
            ("MRU", 2),
            ("MGA", 2),
            ("HUF", 2),
        ] {
            assert_eq!(currency(code).exponent(), exponent, "{code}");
        }
        assert_eq!(parse("100", "JPY"), Ok((100, "100".to_owned())));
        assert_eq!(parse("1", "BHD"), Ok((1_000, "1.000".to_owned())));
        assert_eq!(parse("0.0001", "CLF"), Ok((1, "0.0001".to_owned())));
    }

    #[test]
    fn amounts_beyond_what_a_double_holds_stay_exact() {
        assert_eq!(
            parse("9007199254740993.07", "USD"),
            Ok((900_719_925_474_099_307, "9007199254740993.07".to_owned()))
        );
    }

    #[test]
    fn more_decimals_than_the_currency_has_are_refused() {
        for (text, code, allowed) in
            [("1.001", "USD", 2), ("0.5", "JPY", 0), ("1e-3", "USD", 2), ("1.0001", "BHD", 3)]
        {
            assert_eq!(parse(text, code), Err(InvalidMoney::TooManyDecimals { allowed }), "{text}");
        }
    }

    #[test]
    fn zero_and_negative_amounts_are_refused() {
        for text in ["0", "0.00", "-1", "-0", "0e9", "-1e400"] {
            let refused = parse(text, "USD");
            assert!(matches!(refused, Err(InvalidMoney::NotPositive)), "{text} gave {refused:?}");
        }
    }

    #[test]
    fn numbers_outside_the_range_are_refused() {
        for text in ["1e400", "1e99999999999", "92233720368547758.08", "9".repeat(200).as_str()] {
            assert_eq!(parse(text, "USD"), Err(InvalidMoney::OutOfRange), "{text}");
        }
        assert!(parse("92233720368547758.07", "USD").is_ok());
    }

    #[test]
    fn what_is_no_json_number_is_refused() {
        for text in [
            "", " ", "NaN", "Infinity", "abc", "+1", ".5", "5.", "1_000", "007", "0x10", "1e",
            "1e+", "1,000", "1 ", "--1", "1.2.3", "１", "1e2e3",
        ] {
            assert_eq!(parse(text, "USD"), Err(InvalidMoney::NotANumber), "{text}");
        }
    }

    #[test]
    fn codes_without_a_minor_unit_are_no_currencies() {
        for code in ["XAU", "XXX", "XTS", "XDR", "usd", "US", "DOLLAR", "", "ZZZ"] {
            assert_eq!(code.parse::<Currency>(), Err(InvalidCurrency), "{code}");
        }
    }

    #[test]
    fn a_sum_needs_one_currency_and_stays_in_range() {
        let one = Money::parse("1", currency("USD")).expect("valid");
        let euro = Money::parse("1", currency("EUR")).expect("valid");
        let most = Money::from_minor(i64::MAX, currency("USD")).expect("valid");
        assert_eq!(one.checked_add(one).map(Money::minor), Some(200));
        assert_eq!(one.checked_add(euro), None);
        assert_eq!(one.checked_add(most), None);
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_the_same_money(minor in 1..=i64::MAX) {
            for code in ["USD", "JPY", "BHD", "CLF"] {
                let money = Money::from_minor(minor, currency(code)).expect("positive");
                prop_assert_eq!(Money::parse(&money.to_string(), currency(code)), Ok(money));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _either = Money::parse(&text, currency("USD"));
        }
    }
}
