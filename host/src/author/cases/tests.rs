//! What case files may say, and how what is wrong with them is told.

use super::*;

fn parse(text: &str) -> Cases {
    Cases::parse(text).unwrap()
}

fn error(text: &str) -> String {
    Cases::parse(text).err().map(|wrong| wrong.to_string()).unwrap_or_default()
}

#[test]
fn a_case_takes_from_the_defaults_what_it_does_not_say() {
    let file = parse(
        "[defaults]\nconfig = { words = ['sale'] }\nnow = 2026-05-01T00:00:00Z\nstate = { seen = 1 }\n\
        message = { from = 'ann@example.com', text = 'hello' }\n\
        [[case]]\nname = 'a'\nmessage = { text = 'other' }\n\
        [[case]]\nname = 'b'\nconfig = {}\nstate = {}\nnow = 2026-06-01T00:00:00+02:00\nmessage = {}\n",
    );
    let [a, b] = file.cases.as_slice() else { panic!("two cases") };
    assert_eq!((a.config.as_str(), b.config.as_str()), (r#"{"words":["sale"]}"#, "{}"));
    assert_eq!((a.state["seen"].as_slice(), b.state.len()), (&b"1"[..], 0));
    assert_eq!(a.steps[0].now.to_string(), "2026-05-01T00:00:00Z");
    assert_eq!(b.steps[0].now.to_string(), "2026-05-31T22:00:00Z");
    let Question::Message(message) = &a.steps[0].question else { panic!("a message") };
    assert_eq!((message.sender.as_str(), message.message.text.as_str()), ("ann@example.com", "other"));
}

#[test]
fn steps_are_asked_at_their_own_time() {
    let file = parse(
        "[[case]]\nname = 'a'\nnow = 2026-05-01T00:00:00Z\nstate_after = {}\n[[case.step]]\nmessage = {}\n\
        [[case.step]]\nnow = 2026-05-02T00:00:00Z\napprove = 'A'\nanswer = 'expired'\nstate_after = { a = 1 }\n\
        [[case.step]]\nlist = 'pending'\n",
    );
    let case = &file.cases[0];
    let times: Vec<_> = case.steps.iter().map(|step| step.now.to_string()).collect();
    assert_eq!(times, ["2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", "2026-05-01T00:00:00Z"]);
    assert!(case.has_steps && case.state_after.is_some() && case.steps[1].state_after.is_some());
    assert_eq!((case.line, case.steps[1].line), (1, 7));
}

#[test]
fn a_case_that_asks_nothing_is_about_the_configuration() {
    let file = parse("[[case]]\nname = 'a'\nconfig = { x = 1 }\nanswer = { refused = 'x' }\n");
    assert!(matches!(file.cases[0].steps[0].question, Question::Configure));
}

#[test]
fn a_wrong_key_is_named_with_its_line_and_the_nearest_that_is_known() {
    for (text, said) in [
        ("[[case]]\nname = 'a'\nmesage = {}\n", "line 3: unknown key `mesage`; did you mean `message`?"),
        ("[[case]]\nname = 'a'\nmessage = { form = 'x' }\n", "line 3: unknown key `form`; did you mean `from`?"),
        ("[[case]]\nname = 'a'\n[case.message]\ntext = 'a'\nzebra = 1\n", "line 5: unknown key `zebra`; known here: "),
        ("[[cases]]\nname = 'a'\n", "line 1: unknown key `cases`; did you mean `case`?"),
        ("[defaults]\nreigon = 'US'\n", "line 2: unknown key `reigon`; did you mean `region`?"),
    ] {
        let error = error(text);
        assert!(error.starts_with(said), "{error}");
    }
}

#[test]
fn whatever_else_is_wrong_is_named_with_its_line() {
    let case = "[[case]]\nname = 'a'\n";
    for (rest, said) in [
        ("message = 'hi'\n", "line 3: "),
        ("message = {}\nanswer = 'pas'\n", "line 4: unknown answer `pas`; did you mean `pass`?"),
        ("message = {}\napprove = 'A'\n", "line 1: asks two things at once: message, approve"),
        ("message = {}\n[[case.step]]\nmessage = {}\n", "line 1: a case with steps asks and answers in its steps"),
        ("[[case.step]]\nanswer = 'pass'\n", "line 3: a step asks something"),
        ("[[case.step]]\nmessage = {}\nconfig = {}\n", "line 3: `config` is of the whole case, not of a step"),
        ("message = { arrival = 'late' }\n", "line 3: `arrival` cannot be \"late\""),
        ("interface = 'filtre'\n", "line 3: `filtre` is no interface"),
        ("list = 'all'\n", "line 3: `all` is no list"),
        ("now = 2026-03-01\n", "line 3: 2026-03-01 is no moment"),
        ("state = { a = 'hex:z' }\n", "line 1: state: `a`"),
        ("[[case]]\nname = 'a'\n", "line 3: there is another case named \"a\""),
        ("[[case]]\nmessage = {}\n", "line 3: a case needs a `name`"),
        ("[defaults]\nregion = 'Mars'\n", "line 4: `Mars` is no region"),
        ("answer = \n", "line 3: "),
    ] {
        let error = error(&format!("{case}{rest}"));
        assert!(error.starts_with(said), "{rest}: {error}");
    }
    assert_eq!(error(""), "line 1: no cases: each one is a table `[[case]]`");
}

#[test]
fn the_cases_of_new_policies_can_be_read() {
    for cases in [
        include_str!("../../../../plugins/templates/allowlist/cases.toml"),
        include_str!("../../../../plugins/templates/chunking/cases.toml"),
        include_str!("../../../../plugins/templates/filter/cases.toml"),
        include_str!("../../../../plugins/templates/group/cases.toml"),
        include_str!("../../../../plugins/templates/pairing/cases.toml"),
    ] {
        assert!(!parse(cases).cases.is_empty());
    }
}
