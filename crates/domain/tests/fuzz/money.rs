//! Amounts: whatever is accepted is worth what was written, to the last digit.

use payonce_domain::money::{Currency, Money};
use payonce_fuzzing::every_input;

const CURRENCIES: [&str; 4] = ["JPY", "USD", "BHD", "CLF"];

/// The amount in minor units by nothing but the places of digits; `None` where a text is no number.
fn by_digits(text: &str, decimals: i64) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let exponent: i64 = exponent.parse().ok()?;
    let places =
        exponent.checked_add(decimals)?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let minor = match usize::try_from(places) {
        Ok(places) if places < 100 => format!("{digits}{}", "0".repeat(places)),
        Ok(_) => return None,
        Err(_) => {
            let kept = digits.len().checked_sub(usize::try_from(-places).ok()?)?;
            let (kept, dropped) = digits.split_at(kept);
            dropped.bytes().all(|digit| digit == b'0').then(|| kept.to_owned())?
        }
    };
    Some(minor.trim_start_matches('0').to_owned())
}

#[test]
fn what_is_accepted_is_worth_what_was_written() {
    every_input!("money", |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        for code in CURRENCIES {
            let currency: Currency = code.parse().expect("known");
            let Ok(money) = Money::parse(text, currency) else { continue };
            assert!(money.minor() > 0, "{text}");
            let decimals = i64::from(currency.exponent());
            assert_eq!(Some(money.minor().to_string()), by_digits(text, decimals), "{text} {code}");
            // Its own spelling, and every other with the same worth, is the same money.
            let printed = money.to_string();
            assert_eq!(Money::parse(&printed, currency), Ok(money), "{text} {code}");
            assert_eq!(Money::parse(&format!("{printed}e0"), currency), Ok(money), "{text} {code}");
            let in_minor = format!("{}e-{decimals}", money.minor());
            assert_eq!(Money::parse(&in_minor, currency), Ok(money), "{text} {code}");
            let one_more = money.minor().checked_add(1).map(|it| format!("{it}E-{decimals}"));
            assert_ne!(one_more.and_then(|it| Money::parse(&it, currency).ok()), Some(money));
        }
    });
}

#[test]
fn a_currency_is_three_capital_letters() {
    every_input!("currency", |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        let Ok(currency) = text.parse::<Currency>() else { return };
        assert_eq!(currency.code(), text);
        assert!(text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()), "{text}");
        assert!(currency.exponent() <= 4, "{text}");
    });
}
