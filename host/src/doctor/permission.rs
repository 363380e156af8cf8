//! What macOS lets the daemon's program do: what was written down when its owner was asked, and what the last sends met.
//! Nothing here makes macOS ask.

use serde_json::Value;

use super::{AUTOMATION_PANE, Finding, Seen, full_disk_pane, signature, tcc, text};
use crate::install::names;

/// Messages' answer to who may not control it.
const NOT_ALLOWED: &str = "(-1743)";

/// Makes macOS ask, where it did not yet.
const TEST_SEND: &str = "send --to YOUR-OWN-NUMBER --text test";

pub fn findings(seen: &Seen) -> Vec<Finding> {
    vec![full_disk_access(seen), automation(seen), may_control(seen)]
}

/// As whom macOS may know the program: by its identifier, its path, or its bundle's.
fn clients(seen: &Seen) -> Vec<String> {
    let program = seen.program();
    let identifier = seen.signature().ok().and_then(|signature| signature.identifier.clone());
    let bundle = program.ancestors().find(|path| path.extension().is_some_and(|extension| extension == "app"));
    let paths = [Some(program.as_path()), bundle].into_iter().flatten().map(|path| path.display().to_string());
    identifier.into_iter().chain(paths).collect()
}

fn written_down(seen: &Seen, service: &str) -> Result<Option<tcc::Entry>, String> {
    // Full Disk Access is the whole Mac's, Automation each owner's.
    let is_owners = service == tcc::AUTOMATION;
    tcc::entry(&seen.system.tcc(is_owners)?, service, &clients(seen))
}

fn full_disk_access(seen: &Seen) -> Finding {
    let id = "tcc_full_disk_access";
    let entry = match written_down(seen, tcc::FULL_DISK_ACCESS) {
        Ok(entry) => entry,
        Err(because) => return Finding::unknown(id, because),
    };
    let names = clients(seen).join(", ");
    let again =
        format!("{}; remove imsgd with the minus sign, add it again, then {}", full_disk_pane(), seen.restart());
    let is_reading = seen.daemon.status().is_some_and(|status| status["database"]["ready"] == true);
    match entry {
        None if is_reading => {
            let what = "The daemon reads by the grant of what started it; started by launchd it could not.";
            Finding::warning(id, what).seen(format!("no entry for {names}")).next(again).at_screen()
        }
        None => {
            let found = Finding::error(id, "macOS has no entry for the daemon's program.");
            found.seen(format!("no entry for {names}")).next(again).at_screen()
        }
        Some(entry) if !entry.is_granted => {
            let next = format!("{}; switch imsgd on, then {}", full_disk_pane(), seen.restart());
            let found = Finding::error(id, "Full Disk Access is switched off for the daemon's program.");
            found.seen(format!("entry for {}: auth_value is not 2", entry.client)).next(next).at_screen()
        }
        Some(entry) => match is_same(seen, &entry) {
            Ok(true) => Finding::ok(id, "granted, and to this signature").seen(format!("entry for {}", entry.client)),
            Ok(false) => {
                let found = Finding::error(id, "Granted to another build: the program's signature is not the same.");
                found
                    .seen(format!("the requirement of the entry for {} is not met", entry.client))
                    .next(again)
                    .at_screen()
            }
            Err(because) => Finding::unknown(id, because).seen(format!("entry for {}: granted", entry.client)),
        },
    }
}

/// Is the program still what it was when that was granted?
fn is_same(seen: &Seen, entry: &tcc::Entry) -> Result<bool, String> {
    let Some(compiled) = &entry.requirement else {
        return Err("the entry does not say to which signature it was granted".to_owned());
    };
    let ended = seen.system.run("csreq", &["-r-", "-t"], compiled)?;
    if !ended.status.success() {
        return Err(format!("csreq said: {}", ended.complained.trim()));
    }
    signature::satisfies(&seen.system, &seen.program(), ended.said.trim())
}

/// From what was sent: asking macOS itself would make it ask the owner.
fn automation(seen: &Seen) -> Finding {
    let id = "automation";
    let Some(outbox) = &seen.outbox else {
        return Finding::unknown(id, "no daemon answers that could tell of its sends");
    };
    let sends = outbox["sends"].as_array().map(Vec::as_slice).unwrap_or_default();
    // The newest that got as far as Messages.
    let met = |send: &&Value| text(send, "state") == "seen" || text(send, "error").contains(NOT_ALLOWED);
    match sends.iter().find(met) {
        None => Finding::unknown(id, "nothing was sent that Messages would have had to take")
            .next(format!("{}; macOS may ask on the Mac's screen", seen.command(TEST_SEND))),
        Some(send) if text(send, "state") == "seen" => {
            Finding::ok(id, "Messages took the last send").seen(format!("send {} was seen in chat.db", send["id"]))
        }
        Some(send) => {
            let what = "macOS does not let imsgd control Messages (error -1743): nothing can be sent.";
            let found = Finding::error(id, what).seen(format!("send {}: {}", send["id"], text(send, "error")));
            let next = format!(
                "{AUTOMATION_PANE}; under imsgd, switch Messages on. If imsgd is not listed: tccutil reset AppleEvents \
                 {}, then send again and allow it",
                names::BUNDLE_ID
            );
            found.next(next).at_screen()
        }
    }
}

fn may_control(seen: &Seen) -> Finding {
    let id = "tcc_automation";
    match written_down(seen, tcc::AUTOMATION) {
        Err(because) => Finding::unknown(id, because),
        Ok(None) => Finding::note(id, "The owner was not asked yet whether imsgd may control Messages.")
            .seen(format!("no entry for {}", clients(seen).join(", ")))
            .next(format!("{}, and allow it on the Mac's screen", seen.command(TEST_SEND)))
            .at_screen(),
        Ok(Some(entry)) if entry.is_granted => {
            Finding::ok(id, "granted").seen(format!("entry for {} and Messages", entry.client))
        }
        Ok(Some(entry)) => Finding::error(id, "It was denied that imsgd controls Messages: nothing can be sent.")
            .seen(format!("entry for {} and Messages: auth_value is not 2", entry.client))
            .next(format!("{AUTOMATION_PANE}; under imsgd, switch Messages on"))
            .at_screen(),
    }
}
