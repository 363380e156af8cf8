//! Codes for people to pass on.

use crate::host;

/// Thirty-two letters and digits that are not taken for one another, so that five bits make one.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A random code of so many letters and digits, none of which is taken for another: no `I`, `O`, `0` or `1`. Eight of
/// them are forty bits. Compare with [`fold_code`] what people typed.
pub fn random_code(length: u32) -> String {
    // Thirty-two divides 256: every letter is as likely as any other.
    let letter = |byte: u8| char::from(ALPHABET[usize::from(byte % 32)]);
    host::random(length).into_iter().map(letter).collect()
}

/// A code as [`random_code`] makes it, from small letters or with space around.
pub fn fold_code(typed: &str) -> String {
    typed.trim().to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn every_letter_of_the_alphabet_comes_up_and_no_other() {
        testing::reset();
        let seen: std::collections::BTreeSet<u8> = random_code(2000).into_bytes().into_iter().collect();
        assert_eq!(seen, ALPHABET.iter().copied().collect());
    }

    #[test]
    fn a_code_may_be_typed_in_small_letters_with_space_around() {
        assert_eq!(fold_code("  abcd2345\n"), "ABCD2345");
    }
}
