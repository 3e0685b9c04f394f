//! Card numbers and security codes: what a client's free text must not hold.
//!
//! The rule is for what comes in. What is stored already is read without it, and so are the ids
//! that clients choose: of any run of digits one in ten passes the check digit, and an order must
//! not be refused for its number.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use uuid::Uuid;

/// Why a text is refused; the words are meant for the client and repeat nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CardData {
    /// A number that a card may have.
    #[error("must not hold a card number; send the token that stands for the card")]
    Number,
    /// A pair named as card data.
    #[error("must not have a pair whose name stands for card data, such as cvv or card_number")]
    Name,
}

const LENGTHS: RangeInclusive<usize> = 13..=19;
/// Of a UUID as it is usually written.
const UUID_LENGTH: usize = 36;

/// The first four digits that card networks give out, with the lengths of the numbers that begin so.
/// Times in milliseconds and finer begin with 1, which is none of them.
const ISSUED: [(RangeInclusive<u32>, RangeInclusive<usize>); 14] = [
    (2200..=2205, 16..=19),
    (2221..=2720, 16..=16),
    (3000..=3059, 14..=19),
    (3095..=3095, 14..=19),
    (3400..=3499, 15..=15),
    (3528..=3589, 16..=19),
    (3600..=3699, 14..=19),
    (3700..=3799, 15..=15),
    (3800..=3999, 14..=19),
    (4000..=4999, 13..=19),
    (5000..=5999, 13..=19),
    (6000..=6999, 13..=19),
    (8100..=8299, 16..=19),
    (9792..=9792, 16..=16),
];

/// Names of fields that hold card data, in small letters and without what stands between them.
const NAMES: [&str; 27] = [
    "cardcode",
    "cardcvc",
    "cardcvv",
    "cardno",
    "cardnumber",
    "cardpan",
    "cardsecuritycode",
    "cardverificationcode",
    "cardverificationvalue",
    "ccnumber",
    "creditcard",
    "creditcardnumber",
    "csc",
    "cvc",
    "cvc2",
    "cvn",
    "cvv",
    "cvv2",
    "debitcardnumber",
    "pan",
    "pinblock",
    "primaryaccountnumber",
    "securitycode",
    "track1",
    "track2",
    "track2data",
    "trackdata",
];

/// Refuses a text in which 13 to 19 digits, single spaces or dashes between them or not, begin as
/// the numbers of cards do and pass their check digit. Digits that touch letters are not looked at.
pub fn refuse_in_text(text: &str) -> Result<(), CardData> {
    if text.bytes().filter(u8::is_ascii_digit).count() < *LENGTHS.start() {
        return Ok(());
    }
    let text = without_uuids(text);
    if runs(&text).iter().any(|run| holds_number(run)) { Err(CardData::Number) } else { Ok(()) }
}

/// The same for the names and values of pairs; and refuses names that announce card data.
pub fn refuse_in_pairs(pairs: &BTreeMap<String, String>) -> Result<(), CardData> {
    for (name, value) in pairs {
        let letters = name.chars().filter(|c| c.is_alphanumeric());
        let letters: String = letters.flat_map(char::to_lowercase).collect();
        if NAMES.contains(&letters.as_str()) {
            return Err(CardData::Name);
        }
        refuse_in_text(name)?;
        refuse_in_text(value)?;
    }
    Ok(())
}

/// A word of digits only.
type Group = Vec<u32>;

/// Groups of digits, put together where a single space or dash is all that stands between them.
/// Digits of a word with letters are none: such are the ids that programs make.
fn runs(text: &str) -> Vec<Vec<Group>> {
    let (mut runs, mut run, mut word) = (Vec::new(), Vec::new(), Vec::new());
    // The last word ends too.
    for character in text.chars().chain(['\n']) {
        if character.is_alphanumeric() {
            word.push(character);
            continue;
        }
        let group: Option<Group> = word.drain(..).map(|character| character.to_digit(10)).collect();
        let goes_on = is_between(character) && group.as_ref().is_some_and(|it| !it.is_empty());
        run.extend(group);
        if !goes_on {
            runs.push(std::mem::take(&mut run));
        }
    }
    runs
}

fn is_between(character: char) -> bool {
    matches!(character, ' ' | '\u{a0}' | '-' | '\u{2010}'..='\u{2015}')
}

/// The text with a letter in place of each UUID, whose groups may be digits only.
fn without_uuids(text: &str) -> String {
    let (mut rest, mut kept) = (text, String::with_capacity(text.len()));
    while let Some(first) = rest.chars().next() {
        let is_uuid = rest.get(..UUID_LENGTH).is_some_and(|word| Uuid::try_parse(word).is_ok());
        kept.push(if is_uuid { 'u' } else { first });
        let read = if is_uuid { UUID_LENGTH } else { first.len_utf8() };
        rest = rest.get(read..).unwrap_or_default();
    }
    kept
}

/// Whether some neighbouring groups, whole, are a card's number.
fn holds_number(run: &[Group]) -> bool {
    (0..run.len()).any(|from| {
        let mut digits = Group::new();
        for group in run.iter().skip(from) {
            digits.extend(group);
            if digits.len() > *LENGTHS.end() {
                return false;
            }
            if is_number(&digits) {
                return true;
            }
        }
        false
    })
}

fn is_number(digits: &[u32]) -> bool {
    let beginning = digits.iter().take(4).fold(0, |number, digit| number * 10 + digit);
    let is_issued = |(beginnings, lengths): &(RangeInclusive<u32>, RangeInclusive<usize>)| {
        beginnings.contains(&beginning) && lengths.contains(&digits.len())
    };
    LENGTHS.contains(&digits.len()) && ISSUED.iter().any(is_issued) && passes_luhn(digits)
}

/// The check that the last digit of a card's number makes come out (ISO/IEC 7812).
fn passes_luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, &digit)| match at % 2 {
            0 => digit,
            _ if digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Numbers for tests, of each range that is given out and of each length.
    const CARDS: [&str; 18] = [
        "4242424242424242",
        "4222222222222",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "6011111111111117",
        "30569309025904",
        "3530111333300000",
        "6200000000000005",
        "6205500000000000004",
        "2200770212727079",
        "4000000000000000006",
        "343434343434343",
        "38520000023237",
        "36227206271667",
        "9792030394440796",
        "8171999927660000",
        "30950000000018",
    ];

    fn holds(text: &str) -> bool {
        refuse_in_text(text) == Err(CardData::Number)
    }

    fn pairs(name: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_card_number_is_found_however_it_is_written() {
        for card in CARDS {
            let fours = |between: &str| {
                let digits: Vec<_> = card.chars().collect();
                let groups = digits.chunks(4).map(|group| group.iter().collect::<String>());
                groups.collect::<Vec<_>>().join(between)
            };
            let apart = card.chars().map(String::from).collect::<Vec<_>>().join(" ");
            for spelling in
                [card.to_owned(), fours(" "), fours("-"), fours("\u{a0}"), fours("–"), apart]
            {
                for text in [
                    spelling.clone(),
                    format!("pay with {spelling}, please"),
                    format!("card_{spelling}: \"{spelling}\""),
                    format!("01a1fdeb-6164-7700-8874-1b49e96ad766-{spelling}"),
                    format!("Nr. 7 {spelling} 12/27 123"),
                    format!("0041 44 {spelling}"),
                ] {
                    assert!(holds(&text), "{text}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_card_number_is_let_through() {
        for text in [
            "",
            "Two tickets",
            // One digit off, too short, too long.
            "4242424242424241",
            "424242424242",
            "42424242424242424242",
            // Something else than a single space or dash between.
            "4242,4242,4242,4242",
            "4242  4242  4242  4242",
            "42424242a42424242",
            // Within the ids that programs make, even where one touches the next.
            "x4242424242424242",
            "4242424242424242f06a5",
            "ch_3f4242424242424242",
            "42424242-4242-4242-ab12-1b49e96ad766",
            "1b49e96a-4242-4242-8424-242424242424",
            // The check digit comes out, and no network gives out such numbers.
            "1795291584003",
            "0000000000000000",
            "7992739871300008",
            // Times, telephones, accounts, ids.
            "2026-11-21 20:00:57",
            "2026-11-21 10 30 45",
            "+41 44 668 18 00",
            "DE89 3704 0044 0532 0130 00",
            "01a1fdeb-6164-7700-8874-1b49e96ad766",
        ] {
            assert!(!holds(text), "{text}");
        }
    }

    #[test]
    fn times_in_fractions_of_a_second_never_look_like_cards() {
        for at in 0..1_000u64 {
            for time in [
                1_600_000_000_000 + at,
                1_795_291_584_000 + at * 7,
                1_795_291_584_000_000 + at,
                1_795_291_584_000_000_000 + at,
            ] {
                assert!(!holds(&time.to_string()), "{time}");
            }
        }
    }

    #[test]
    fn pairs_are_refused_by_their_names_and_by_what_they_hold() {
        for name in ["cvv", "CVV", "Card-Number", "card_number", "cvc2", "PAN", "security code"] {
            assert_eq!(refuse_in_pairs(&pairs(name, "")), Err(CardData::Name), "{name}");
        }
        for name in ["cvvs", "card", "number", "company", "pandas", "card_token"] {
            assert_eq!(refuse_in_pairs(&pairs(name, "x")), Ok(()), "{name}");
        }
        let card = CARDS[0];
        assert_eq!(refuse_in_pairs(&pairs("note", card)), Err(CardData::Number));
        assert_eq!(refuse_in_pairs(&pairs(card, "note")), Err(CardData::Number));
        assert_eq!(refuse_in_pairs(&BTreeMap::new()), Ok(()));
    }

    #[test]
    fn a_refusal_repeats_nothing() {
        for refusal in [CardData::Number, CardData::Name] {
            assert!(!refusal.to_string().contains(|c: char| c.is_ascii_digit()));
        }
    }

    proptest! {
        #[test]
        fn of_any_sixteen_digits_of_a_network_one_last_digit_makes_a_card(
            beginning in 400_000_000_000_000u64..500_000_000_000_000,
        ) {
            let last = |digit: &u32| holds(&format!("{beginning}{digit}"));
            prop_assert_eq!((0..10).filter(last).count(), 1);
        }

        #[test]
        fn no_text_makes_the_search_fail(text in any::<String>()) {
            let _any = refuse_in_text(&text);
        }
    }
}
