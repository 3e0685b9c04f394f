//! What chance makes of a corpus: a text of it, changed in a few places.

/// What has broken parsers before, to be put anywhere.
const TOKENS: [&[u8]; 40] = [
    b"\0",
    b"\\u0000",
    b"\\ud800",
    b"\\udc00\\ud800",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc0\x80",
    b"1e400",
    b"1e-400",
    b"1e99999999999",
    b"-0",
    b"-1",
    b"0.",
    b".5",
    b"00",
    b"1E+2",
    b"100.000000000000000000000000000000000",
    b"9223372036854775807",
    b"9223372036854775808",
    b"92233720368547758.07",
    b"340282366920938463463374607431768211456",
    b"NaN",
    b"Infinity",
    b"null",
    b"true",
    b"{",
    b"}",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"]",
    b"\"",
    b"\\",
    b",",
    b":",
    b"=",
    b"\r\n",
    b"\t",
    b"%00",
    b"USD",
    b"\xd9\xa1\xd9\xa2",
    b"__proto__",
];

/// No text grows beyond this.
const LONGEST: usize = 200_000;

/// Reads a recipe byte by byte; one that is used up says 0.
struct Recipe<'a>(&'a [u8]);

impl Recipe<'_> {
    fn next(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first)
    }

    /// A number below `bound`, which is more than 0.
    fn below(&mut self, bound: usize) -> usize {
        let number = (self.next() << 8) | self.next();
        number.checked_rem(bound).unwrap_or(0)
    }

    /// Part of a text, most often a short one.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length.saturating_add(1));
        let most = if self.next().is_multiple_of(4) { length } else { 8 };
        let end = start.saturating_add(self.below(most.saturating_add(1))).min(length);
        start..end
    }
}

/// A text of the corpus, changed as the recipe says.
pub fn mutated(corpus: &[Vec<u8>], recipe: &[u8]) -> Vec<u8> {
    let mut recipe = Recipe(recipe);
    let Some(text) = corpus.get(recipe.below(corpus.len())) else {
        return Vec::new();
    };
    let mut text = text.clone();
    for _ in 0..=recipe.next() % 4 {
        change(&mut text, corpus, &mut recipe);
        text.truncate(LONGEST);
    }
    text
}

fn change(text: &mut Vec<u8>, corpus: &[Vec<u8>], recipe: &mut Recipe<'_>) {
    let kind = recipe.next() % 8;
    let range = recipe.range(text.len());
    let part = text.get(range.clone()).unwrap_or_default().to_vec();
    let token = TOKENS.get(recipe.below(TOKENS.len())).copied().unwrap_or_default();
    match kind {
        0 => {
            if let Some(byte) = text.get_mut(range.start) {
                *byte = u8::try_from(recipe.next()).unwrap_or_default();
            }
        }
        1 => replace(text, range.start..range.start, token),
        2 => replace(text, range, token),
        3 => replace(text, range, b""),
        4 => replace(text, range.end..range.end, &part),
        5 => {
            let times = recipe.next().saturating_mul(recipe.next() % 16);
            replace(text, range.end..range.end, &part.repeat(times));
        }
        6 => {
            let other = corpus.get(recipe.below(corpus.len())).cloned().unwrap_or_default();
            let from = recipe.range(other.len());
            replace(text, range, other.get(from).unwrap_or_default());
        }
        _ => replace_number(text, range.start, token),
    }
}

fn replace(text: &mut Vec<u8>, range: std::ops::Range<usize>, with: &[u8]) {
    text.splice(range, with.iter().copied());
}

/// Puts a token in the place of the first number from there on.
fn replace_number(text: &mut Vec<u8>, from: usize, with: &[u8]) {
    let is_numeric = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let rest = text.get(from..).unwrap_or_default();
    let Some(start) = rest.iter().position(u8::is_ascii_digit) else {
        return;
    };
    let length = rest.iter().skip(start).take_while(|byte| is_numeric(byte)).count();
    let start = from.saturating_add(start);
    replace(text, start..start.saturating_add(length), with);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_always_makes_the_same_and_recipes_make_many_texts() {
        let corpus = [b"{\"amount\": 100.00}".to_vec(), b"{}".to_vec()];
        let recipes: Vec<Vec<u8>> =
            (0..=255_u8).map(|n| (0..40).map(|at| n.wrapping_mul(at ^ 0x5b)).collect()).collect();
        let texts: std::collections::BTreeSet<_> =
            recipes.iter().map(|recipe| mutated(&corpus, recipe)).collect();
        assert!(texts.len() > 100, "only {}", texts.len());
        for recipe in &recipes {
            assert_eq!(mutated(&corpus, recipe), mutated(&corpus, recipe));
        }
    }

    #[test]
    fn no_recipe_is_too_short_or_makes_too_much() {
        let corpus = [vec![b'x'; LONGEST]];
        for length in 0..40 {
            assert!(mutated(&corpus, &vec![5; length]).len() <= LONGEST);
            assert!(mutated(&corpus, &vec![253; length]).len() <= LONGEST);
        }
        assert!(mutated(&[], &[1, 2, 3]).is_empty());
    }
}
