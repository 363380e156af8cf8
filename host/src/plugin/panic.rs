//! What a policy's panic said and where it was, instead of the `unreachable` in which it ended.
//!
//! A panic may quote what it fell over, and that may be the message: `byte index 1 is not a char boundary; it is inside
//! 'é'`. A failure ends in the journal, which shows nothing that a message says; so does this.

use wasmtime::Trap;

use super::guest::Call;
use super::load;
use crate::policy::Failure;

/// How Rust begins what it says of a panic: a place, and in the next line the message.
pub(super) const SIGN: &str = "panicked at ";

/// Shorter words of a message are in any sentence.
const TELLING: usize = 4;

/// Why a call ended, in words.
pub(super) fn failure(error: &wasmtime::Error, call: &Call) -> Failure {
    let is_abort = error.downcast_ref::<Trap>() == Some(&Trap::UnreachableCodeReached);
    match call.panic.as_deref().filter(|_| is_abort) {
        Some(panic) => Failure(told(panic, &private(call))),
        None => Failure(load::cause(error)),
    }
}

/// On one line, without the message of the panic where it has words of `private` in it.
fn told(panic: &str, private: &[String]) -> String {
    let (place, message) = panic.split_once('\n').unwrap_or((panic, ""));
    let place = place.trim_end().trim_end_matches(':');
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let folded = message.to_lowercase();
    if private.iter().any(|word| folded.contains(word)) {
        return format!("{place} (what it said is in the plugin's log)");
    }
    match message.is_empty() {
        true => place.to_owned(),
        false => format!("{place}: {message}"),
    }
}

/// The words of the message and its sender, in lower case.
fn private(call: &Call) -> Vec<String> {
    let Some(inbound) = &call.inbound else { return Vec::new() };
    let (text, name) = (inbound.message.words(), &inbound.message.sender);
    let all = [&*text, name, &inbound.sender].map(str::to_lowercase);
    let words = all.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    words.filter(|word| word.chars().count() >= TELLING).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_place_and_on_one_line() {
        let bounds = "panicked at src/lib.rs:42:9:\nindex out of bounds:\n the len is 3 but the index is 5";
        assert_eq!(
            told(bounds, &["hello".into()]),
            "panicked at src/lib.rs:42:9: index out of bounds: the len is 3 but the index is 5"
        );
        assert_eq!(told("panicked at src/lib.rs:42:9:", &[]), "panicked at src/lib.rs:42:9");
    }

    #[test]
    fn a_panic_that_quotes_the_message_is_told_by_its_place() {
        let quoting = "panicked at src/lib.rs:7:1:\nbyte index 1 is not a char boundary of `Élan vital`";
        assert_eq!(told(quoting, &["élan".into()]), "panicked at src/lib.rs:7:1 (what it said is in the plugin's log)");
    }
}
