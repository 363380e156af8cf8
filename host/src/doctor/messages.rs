//! Messages itself, and the contacts.

use super::{Finding, Seen, text};

pub fn findings(seen: &Seen) -> Vec<Finding> {
    vec![app(seen), signed_in(seen), contacts(seen)]
}

pub fn app(seen: &Seen) -> Finding {
    let id = "messages_app";
    match seen.system.run("pgrep", &["-x", "Messages"], b"") {
        Err(because) => Finding::unknown(id, because),
        Ok(ended) => match ended.status.code() {
            Some(0) => {
                let pid = ended.said.lines().next().unwrap_or_default();
                Finding::ok(id, "Messages runs").seen(format!("process {pid}"))
            }
            Some(1) => Finding::warning(id, "Messages does not run: what arrives may be written late.")
                .seen("pgrep -x Messages finds nothing")
                .next("open -a Messages; add it to the login items, so that it starts by itself"),
            _ => Finding::unknown(id, format!("pgrep said: {}", ended.complained.trim())),
        },
    }
}

/// Nothing that may be asked says it; an account in chat.db is one from whenever its chats were.
fn signed_in(seen: &Seen) -> Finding {
    let because = "macOS tells no other program; what arrived or was sent of late is the only sign";
    let newest = seen.chats.as_ref().map(|chats| text(&chats["chats"][0], "last_message_at"));
    let found = Finding::unknown("signed_in", because);
    let found = match newest.filter(|at| !at.is_empty()) {
        Some(at) => found.seen(format!("the newest message is of {at}")),
        None => found,
    };
    found.next("in Messages: Settings, iMessage; your account and \"Enabled\" have to be there").at_screen()
}

fn contacts(seen: &Seen) -> Finding {
    let Some(status) = seen.daemon.status() else { return Finding::unknown("contacts", "no daemon answers") };
    match status["contacts"]["error"].as_str() {
        None => Finding::ok("contacts", "readable"),
        Some(problem) => Finding::note("contacts", "Names of contacts cannot be read: numbers stay numbers.")
            .seen(problem)
            .next(format!(
                "Full Disk Access includes contacts; or turn names off with `{}`",
                seen.command("config set messages.contacts false")
            )),
    }
}
