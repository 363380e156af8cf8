//! `imsgd plugin test`: the cases of the bundled policies, and what is said where a policy does not do what a case says.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{HOSTILE, wrong_components};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The hostile guest in a folder, with a case file beside it.
struct Bench(TempDir);

#[derive(Debug)]
struct Ran {
    ok: bool,
    stdout: String,
    stderr: String,
}

impl Bench {
    fn new(cases: &str) -> Bench {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("hostile.wasm"), HOSTILE).unwrap();
        fs::write(folder.path().join("cases.toml"), cases).unwrap();
        Bench(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, options: &[&str]) -> Ran {
        run(&[&[self.path("hostile.wasm").to_str().unwrap()], options].concat())
    }

    fn cases(&self) -> String {
        fs::read_to_string(self.path("cases.toml")).unwrap()
    }
}

fn run(arguments: &[&str]) -> Ran {
    let program = env!("CARGO_BIN_EXE_imsgd");
    let output = Command::new(program).args(["plugin", "test"]).args(arguments).env_clear().output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { ok: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn the_bundled_policies_answer_as_their_cases_say() {
    for policy in ["allowlist", "pairing", "group", "chunking"] {
        let component = root().join(format!("plugins/dist/{policy}.wasm"));
        let cases = root().join(format!("plugins/{policy}/cases.toml"));
        let ran = run(&[component.to_str().unwrap(), cases.to_str().unwrap()]);
        assert!(ran.ok && ran.stdout.contains("test result: ok. "), "{ran:?}");
    }
}

const CASES: &str = "\
# One of each.
[defaults]
interface = 'filter'

[[case]]
name = 'passes'
message = { text = 'hi' }
answer = 'pass'

[[case]]
name = 'drops'  # so far
config = { on_filter = 'drop' }
message = { text = 'hi' }
answer = 'pass'  # wrong

[[case]]
name = 'counts'
config = { on_filter = 'count' }
state = { count = 3 }
state_after = { count = 4 }  # wrong
[[case.step]]
message = {}
answer = { label = ['4'] }
[[case.step]]
message = {}

[[case]]
name = 'loops'
config = { on_filter = 'loop' }
message = {}
answer = { fails = 'time limit' }
";

#[test]
fn what_a_policy_did_instead_is_shown_with_the_line_of_its_case() {
    let bench = Bench::new(CASES);
    let ran = bench.run(&[]);
    let path = bench.path("cases.toml");
    assert!(!ran.ok && ran.stdout.contains("case passes ... ok\ncase drops ... FAILED\n"), "{ran:?}");
    let drops =
        format!("---- drops ({}:10)\n  answer\n    - \"pass\"\n    + {{ drop = \"hostile\" }}\n", path.display());
    let counts = "  answer of step 2, line 24\n    the case does not say what it should be; `--update` writes it down\n    \
        + { label = [\"5\"] }\n  state_after\n    - { count = 4 }\n    + { count = 5 }\n";
    for words in [&drops, counts, "case loops ... ok\n", "test result: FAILED. 2 passed; 2 failed; 0 left out; in "] {
        assert!(ran.stdout.contains(words), "{words}\n{}", ran.stdout);
    }
    assert_eq!(bench.cases(), CASES);
}

#[test]
fn update_writes_down_what_was_given_and_nothing_else() {
    let bench = Bench::new(CASES);
    let ran = bench.run(&["--update"]);
    assert!(ran.ok && ran.stdout.contains("4 passed; 0 failed; 0 left out; 3 updated; in "), "{ran:?}");
    let updated = CASES
        .replace("'pass'  # wrong", "{ drop = \"hostile\" }  # wrong")
        .replace("{ count = 4 }  # wrong", "{ count = 5 }  # wrong")
        .replace(
            "message = {}\n\n[[case]]\nname = 'loops'",
            "message = {}\nanswer = { label = [\"5\"] }\n\n[[case]]\nname = 'loops'",
        );
    assert_eq!(bench.cases(), updated);
    let again = bench.run(&["--update"]);
    assert!(again.ok && again.stdout.contains("4 passed; 0 failed; 0 left out; 0 updated; in "), "{again:?}");
}

#[test]
fn a_trap_is_a_failed_case_with_its_words_and_is_not_written_down() {
    for (config, words) in
        [("on_filter = 'trap'", "{ fails = \"panicked at"), ("on_configure = 'trap'", "{ fails = \"panicked at")]
    {
        let cases = format!(
            "[defaults]\ninterface = 'filter'\n[[case]]\nname = 'traps'\nconfig = {{ {config} }}\nmessage = {{}}\n"
        );
        let bench = Bench::new(&cases);
        let ran = bench.run(&["--update"]);
        assert!(!ran.ok && ran.stdout.contains(words), "{ran:?}");
        // The place and the words of the panic.
        assert!(ran.stdout.contains("  log error panicked at ") && ran.stdout.contains("told to trap"), "{ran:?}");
        assert_eq!(bench.cases(), cases);
    }
}

#[test]
fn a_refused_configuration_is_an_answer() {
    let bench = Bench::new(
        "[[case]]\nname = 'refuses'\nconfig = { on_configure = 'error' }\nanswer = { refused = 'told to refuse' }\n\
        [[case]]\nname = 'takes'\nanswer = 'configured'\n\
        [[case]]\nname = 'misspelt'\nconfig = { on_filtre = 'drop' }\nanswer = { refused = 'did you mean `on_filter`' }\n",
    );
    let ran = bench.run(&[]);
    assert!(ran.ok && ran.stdout.contains("3 passed"), "{ran:?}");
}

#[test]
fn update_replaces_the_file_in_one_step() {
    let bench = Bench::new(CASES);
    let mut before = fs::File::open(bench.path("cases.toml")).unwrap();
    assert!(bench.run(&["--update"]).ok);
    let mut read = String::new();
    before.read_to_string(&mut read).unwrap();
    assert_eq!(read, CASES);
    assert_ne!(bench.cases(), CASES);
}

#[test]
fn update_leaves_a_file_alone_that_was_changed_while_the_cases_ran() {
    // More than a pipe takes: it waits for us with the name of this case.
    let long = "x".repeat(1 << 20);
    let bench = Bench::new(&format!("[[case]]\nname = '{long}'\ninterface = 'filter'\nmessage = {{}}\n"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_imsgd"))
        .args(["plugin", "test", bench.path("hostile.wasm").to_str().unwrap(), "--update"])
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    fs::write(bench.path("cases.toml"), "theirs").unwrap();
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success() && stderr.contains("was changed by somebody else meanwhile"), "{stderr}");
    assert_eq!(bench.cases(), "theirs");
}

#[test]
fn a_filter_picks_cases_by_words_of_their_names() {
    let bench = Bench::new(CASES);
    let ran = bench.run(&["--filter", "PASS"]);
    assert!(ran.ok && ran.stdout.contains("1 passed; 0 failed; 3 left out; in "), "{ran:?}");
}

#[test]
fn programs_read_a_line_for_each_case_and_one_of_sums() {
    let bench = Bench::new(CASES);
    let ran = bench.run(&["--json"]);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5, "{ran:?}");
    assert_eq!((&lines[0]["case"], &lines[0]["ok"], &lines[0]["line"]), (&json!("passes"), &json!(true), &json!(5)));
    let wrong = json!({"step": null, "what": "answer", "expected": "pass", "given": {"drop": "hostile"}});
    assert_eq!(lines[1]["mismatches"], json!([wrong]));
    assert_eq!(lines[4], json!({"passed": 2, "failed": 2, "left_out": 0, "updated": 0}));
    assert!(!ran.ok);
}

#[test]
fn a_case_file_that_is_wrong_is_named_with_its_line_and_nothing_is_run() {
    for (cases, line, words) in [
        ("[[case]]\nname = 'a'\nmessage = { form = 'x' }\n", 3, "unknown key `form`; did you mean `from`?"),
        ("[[case]]\nname = 'a'\nanswer = 'pas'\n", 3, "unknown answer `pas`; did you mean `pass`?"),
        (
            "[[case]]\nname = 'a'\nmessage = {}\n",
            1,
            "the component offers allowlist, filter: say which with `interface`",
        ),
        ("[[case]]\nname = 'a'\ndraft = { text = '' }\n", 1, "this is asked of chunking, and the component offers"),
        ("[[case]]\nname = 'a\n", 2, ""),
    ] {
        let bench = Bench::new(cases);
        let ran = bench.run(&[]);
        let words = format!("{}:{line}: {words}", bench.path("cases.toml").display());
        assert!(!ran.ok && ran.stdout.is_empty() && ran.stderr.contains(&words), "{words}\n{ran:?}");
    }
}

#[test]
fn a_component_that_is_refused_says_why() {
    let bench = Bench::new("[[case]]\nname = 'a'\n");
    for (name, bytes, words) in wrong_components() {
        fs::write(bench.path("hostile.wasm"), bytes).unwrap();
        let ran = bench.run(&[]);
        assert!(!ran.ok && ran.stderr.contains(words), "{name}: {ran:?}");
    }
}

#[test]
fn what_is_not_there_is_said_with_what_to_do() {
    let bench = Bench::new(CASES);
    fs::remove_file(bench.path("cases.toml")).unwrap();
    let ran = bench.run(&[]);
    assert!(!ran.ok && ran.stderr.contains("cases.toml is not there: name the case file"), "{ran:?}");
    let ran = run(&[bench.0.path().to_str().unwrap()]);
    assert!(!ran.ok && ran.stderr.contains("is no crate"), "{ran:?}");
    fs::write(bench.path("Cargo.toml"), "[package]\nname = 'quiet'\n").unwrap();
    let ran = run(&[bench.0.path().to_str().unwrap()]);
    assert!(!ran.ok && ran.stderr.contains("/quiet.wasm is not there: build it with `imsgd plugin build"), "{ran:?}");
}

#[test]
fn a_folder_stands_for_the_component_that_was_built_in_it() {
    let bench = Bench::new(CASES);
    let crate_folder = bench.path("named.otherwise");
    fs::create_dir(&crate_folder).unwrap();
    fs::write(crate_folder.join("hostile.wasm"), HOSTILE).unwrap();
    fs::write(
        crate_folder.join("cases.toml"),
        "[[case]]\nname = 'a'\ninterface = 'filter'\nmessage = {}\nanswer = 'pass'\n",
    )
    .unwrap();
    // Made of another source than the one that lies beside it.
    fs::create_dir(crate_folder.join("src")).unwrap();
    fs::write(crate_folder.join("Cargo.toml"), "[package]\nname = 'hostile'\n").unwrap();
    let ran = run(&[crate_folder.to_str().unwrap()]);
    assert!(ran.ok && ran.stdout.contains("1 passed"), "{ran:?}");
    assert!(ran.stderr.contains("hostile.wasm is older than its source: `imsgd plugin build`"), "{ran:?}");
}
