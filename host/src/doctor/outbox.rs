//! What was to be sent.

use serde_json::Value;

use super::{Finding, Seen, text};

pub fn findings(seen: &Seen) -> Vec<Finding> {
    vec![sending(seen), outbox(seen)]
}

fn sending(seen: &Seen) -> Finding {
    let Some(own) = seen.own() else { return Finding::unknown("sending", "no daemon answers") };
    let paused = &own["sending_paused"];
    match paused["since"].as_str() {
        None => Finding::ok("sending", "not paused"),
        Some(since) => {
            let reason = paused["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
            Finding::warning("sending", "Sending is paused: nothing is handed to Messages.")
                .seen(format!("since {since}{reason}"))
                .next(seen.command("outbox resume"))
        }
    }
}

fn outbox(seen: &Seen) -> Finding {
    let Some(outbox) = &seen.outbox else { return Finding::unknown("outbox", "no daemon answers") };
    let sends = outbox["sends"].as_array().map(Vec::as_slice).unwrap_or_default();
    let in_state = |state: &str| sends.iter().filter(|send| text(send, "state") == state).count();
    let counts = format!(
        "of the last {}: {} seen, {} failed, {} unconfirmed, {} under way",
        sends.len(),
        in_state("seen"),
        in_state("failed"),
        in_state("unconfirmed"),
        in_state("queued") + in_state("handed"),
    );
    let ended = |send: &&Value| ["seen", "failed", "unconfirmed"].contains(&text(send, "state"));
    let found = match sends.iter().find(ended) {
        None => Finding::ok("outbox", "nothing was sent yet"),
        Some(last) if text(last, "state") == "seen" => Finding::ok("outbox", "the last send is in chat.db"),
        Some(last) => {
            let what = match text(last, "state") {
                "failed" => "The last send failed; it surely did not leave.",
                _ => "The last send is not confirmed: nobody knows whether it left.",
            };
            let found = Finding::warning("outbox", what);
            found
                .seen(format!("send {}: {}", last["id"], text(last, "error")))
                .next(seen.command("outbox list --limit 10"))
        }
    };
    found.seen(counts)
}
