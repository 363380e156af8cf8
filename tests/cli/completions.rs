//! `imsgd completions` and `imsgd man`: what they print is what shells and people can use.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::harness::Home;

fn printed(home: &Home, shell: &str) -> String {
    let printed = home.run_bare(&["completions", shell]);
    assert_eq!((printed.status.code(), printed.stderr.as_str()), (Some(0), ""), "{shell}: {printed:?}");
    printed.stdout
}

/// What a shell says to a script on its stdin; none where there is no such shell.
fn said_by(shell: &[&str], script: &str) -> Option<String> {
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("{shell:?}: {error}"),
    };
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{shell:?}: {}", String::from_utf8_lossy(&ended.stderr));
    Some(String::from_utf8(ended.stdout).unwrap())
}

#[test]
fn each_format_carries_its_markers() {
    let home = Home::without_database("");
    assert!(printed(&home, "bash").contains("complete -F _imsgd "));
    assert!(printed(&home, "ZSH").starts_with("#compdef imsgd\n"));
    assert!(printed(&home, "fish").contains("complete -c imsgd "));
    let reference = printed(&home, "llm");
    assert!(reference.starts_with("# imsgd CLI Reference\n"));
    for command in ["chats", "watch", "send", "react", "pairing approve", "chat-background", "completions"] {
        assert!(reference.contains(&format!("\n### {command}\n")), "{command}: {reference}");
    }
    for hidden in ["send-rich", "bb-events", "### help", "### man"] {
        assert!(!reference.contains(hidden), "{hidden}");
    }
    assert!(reference.contains("`--match <MATCHING>`: ") && reference.contains("one of contains, exact"));
}

#[test]
fn under_the_name_imsg_that_name_is_completed() {
    let home = Home::without_database("");
    let linked = home.path("imsg");
    symlink(env!("CARGO_BIN_EXE_imsgd"), &linked).unwrap();
    for (shell, marker) in [
        ("bash", "complete -F _imsg "),
        ("zsh", "#compdef imsg\n"),
        ("fish", "complete -c imsg "),
        ("llm", "# imsg CLI Reference\n"),
    ] {
        let ended = Command::new(&linked).args(["completions", shell]).output().unwrap();
        let script = String::from_utf8(ended.stdout).unwrap();
        assert!(script.contains(marker) && !script.contains("imsgd_"), "{shell}");
    }
}

#[test]
fn bash_completes_commands_options_and_values() {
    let script = printed(&Home::without_database(""), "bash");
    let ask = |words: &str| {
        let count = words.split(' ').count();
        let last = words.rsplit(' ').next().unwrap();
        let before = words.split(' ').nth(count - 2).unwrap();
        let script = format!(
            "{script}\ncomplete -p imsgd || exit 1\nCOMP_WORDS=({words})\nCOMP_CWORD={}\n_imsgd imsgd '{last}' '{before}'\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
            count - 1
        );
        let said = said_by(&["bash", "--norc", "-s"], &script).expect("bash");
        let mut lines = said.lines();
        assert!(lines.next().unwrap().starts_with("complete "), "{said}");
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ask("imsgd hist"), ["history"]);
    assert_eq!(ask("imsgd history --chat"), ["--chat-id"]);
    assert_eq!(ask("imsgd search --match e"), ["exact"]);
    assert_eq!(ask("imsgd completions z"), ["zsh"]);
    assert_eq!(ask("imsgd pairing app"), ["approve"]);
    assert!(ask("imsgd send-r").iter().all(|word| word != "send-rich"));
}

#[test]
fn other_shells_find_no_fault_with_their_scripts() {
    let home = Home::without_database("");
    for (shell, check) in [("zsh", &["zsh", "-n"][..]), ("fish", &["fish", "--no-execute"])] {
        if said_by(check, &printed(&home, shell)).is_none() {
            eprintln!("{shell} is not there, so its script was not checked");
        }
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let home = Home::without_database("");
    let folder = home.path("man/man1");
    let written = home.run_bare(&["man", "--out", "man/man1"]);
    assert_eq!((written.status.code(), written.stderr.as_str()), (Some(0), ""));
    for page in ["imsgd.1", "imsgd-history.1", "imsgd-send.1", "imsgd-pairing-approve.1"] {
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        assert!(text.contains(".SH NAME") && text.contains(".SH OPTIONS"), "{page}");
    }
    assert!(!folder.join("imsgd-send-rich.1").exists());
    let page = home.run_bare(&["man"]);
    assert!(page.stdout.contains(".TH imsgd 1"), "{page:?}");
    let refused = home.run_bare(&["man", "--out", "/dev/null/man"]);
    assert!(refused.status.code() == Some(1) && refused.stderr.contains("could not write manual pages"), "{refused:?}");
}

#[test]
fn every_command_has_a_manual_page_with_an_example() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_imsgd")).arg("man").arg("--out").arg(folder.path()).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let page = |name: &str| std::fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap();
    assert!(page("imsgd").contains("imsgd\\-send(1)"), "{}", page("imsgd"));
    let send = page("imsgd-send");
    assert!(send.contains(".SH EXAMPLES\n.nf\nimsgd send \\-\\-to +15551234567"), "{send}");
    assert!(page("imsgd-plugin-build").contains(".SH EXAMPLES") && !send.contains("EXTRA"));
    assert!(!folder.path().join("imsgd-help.1").exists() && !folder.path().join("imsgd-send-rich.1").exists());
}
