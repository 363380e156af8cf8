//! What is told of a panic, and what never is.

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::message::Quoted;

const ONLY_PLACE: &str = "panicked at src/lib.rs:7:1 (what it said is in the plugin's log)";

fn said(message: &str) -> Panic {
    Panic::read(&format!("panicked at src/lib.rs:7:1:\n{message}")).unwrap()
}

#[test]
fn a_panic_is_told_with_its_place_and_on_one_line() {
    let bounds = said("index out of bounds:\n the len is 3 but the index is 5");
    assert_eq!(
        told(&bounds, &["hello"]),
        "panicked at src/lib.rs:7:1: index out of bounds: the len is 3 but the index is 5"
    );
    assert_eq!(told(&Panic::read("panicked at src/lib.rs:7:1:").unwrap(), &[]), "panicked at src/lib.rs:7:1");
}

#[test]
fn what_a_panic_quotes_and_what_may_be_an_address_or_a_code_is_left_out() {
    for (message, own) in [
        ("store: `paired/+15550001111` is not what this policy writes", "store: `…` is not what this policy writes"),
        ("can't read 'a 'nested' \"text\"', sorry", "can't read `…`, sorry"),
        ("no `end of it", "no `…`"),
        ("neither “this” nor", "neither `…` nor"),
        ("unknown person +15550001111", "unknown person …"),
        ("unknown person (555) 000-1111 there", "unknown person (… there"),
        ("unknown person ann@example.com.", "unknown person …"),
        ("unknown code ABCD-EFGH", "unknown code …"),
        ("FromUtf8Error { bytes: [104, 105] }", "FromUtf8Error { bytes: […] }"),
    ] {
        assert_eq!(told(&said(message), &[]), format!("panicked at src/lib.rs:7:1: {own}"));
    }
    let long = said(&format!("`a` and `{}`", "secret ".repeat(limits::LOG_LINE_BYTES)));
    assert_eq!(told(&long, &[]), "panicked at src/lib.rs:7:1: `…`");
}

#[test]
fn where_words_of_what_could_be_read_remain_only_the_place_is_told() {
    for (message, read) in [
        ("no rule for ok", "OK"),
        ("no rule for umb", "my umbrella"),
        ("no rule for xumbrellax", "my umbrella"),
        ("no rule for 明日", "明日三時に会いましょう"),
        ("no rule for 😂", "ha 😂"),
    ] {
        assert_eq!(told(&said(message), &["else", read]), ONLY_PLACE, "{message}");
    }
}

#[test]
fn all_that_a_policy_could_read_counts() {
    let mut inbound = (*crate::policy::tests::inbound(false)).clone();
    let mut message = (*inbound.message).clone();
    message.quoted = Some(Quoted { guid: String::new(), sender: Some("zoe".into()), text: Some("quotation".into()) });
    message.mentions = vec!["mentioned".into()];
    message.text = "umbrella".into();
    inbound.message = Arc::new(message);
    let mut call = Call::new(Some(Arc::new(inbound)), Timestamp::UNIX_EPOCH);
    let trap = wasmtime::Error::from(Trap::UnreachableCodeReached);
    for word in ["zoe", "quotation", "mentioned", "umbrella", "given"] {
        call.panic = Some(said(&format!("no rule for {word}")));
        assert_eq!(failure(&trap, &call, &["given"]).0, ONLY_PLACE, "{word}");
    }
    call.panic = Some(said("no rule"));
    assert_eq!(failure(&trap, &call, &["given"]).0, "panicked at src/lib.rs:7:1: no rule");
}

#[test]
fn what_has_no_place_of_a_source_file_is_no_panic() {
    for text in ["panicked at the sight of my umbrella", "panicked at my umbrella.rs:1:1:", "panicked at +1555:1:1:"] {
        assert_eq!(Panic::read(text), None, "{text}");
    }
    let long = format!("panicked at {}.rs:1:1:", "x".repeat(PLACE_BYTES));
    assert_eq!(Panic::read(&long), None);
}

#[test]
fn a_failure_is_not_longer_than_a_line() {
    let call = Call::new(None, Timestamp::UNIX_EPOCH);
    let error = wasmtime::Error::msg("x".repeat(limits::LOG_LINE_BYTES * 3));
    assert_eq!(failure(&error, &call, &[]).0.len(), limits::LOG_LINE_BYTES);
}
