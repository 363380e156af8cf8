//! Uses all of version 0.1.0 of the ABI: exports every interface, gives every answer, and asks for all that there is to
//! ask for. Kept as it was built, to see that such components go on to load and to judge.

use imsgd_plugin::host::{self, Level};
use imsgd_plugin::store::Table;
use imsgd_plugin::{
    Admission, Allowlist, Challenge, Chunking, Decision, Draft, Filter, Group, Message, NoConfig, Outcome, Pairing, Policy,
    Refusal, Request, Verdict, export_policy, store,
};

const REQUESTS: Table<(String, u64)> = Table::new("request/");
const PAIRED: Table<u64> = Table::new("paired/");
const HOUR: u64 = 3_600_000;

struct Everything;

impl Policy for Everything {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self, String> {
        host::log(Level::Info, "configured");
        Ok(Self)
    }
}

impl Allowlist for Everything {
    fn admit(&self, message: &Message) -> Admission {
        match message.text().split(' ').next() {
            Some("reject") => Admission::Reject("rejected".into()),
            Some("stranger") => Admission::Abstain,
            Some("routed") => Admission::Admit(Some("aside".into())),
            _ => Admission::Admit(None),
        }
    }
}

impl Pairing for Everything {
    fn screen(&self, message: &Message) -> Outcome {
        let address = message.sender().address();
        if PAIRED.get(&address).is_some() {
            return Outcome::Paired(Some("guests".into()));
        }
        if message.text().contains("never") {
            return Outcome::Reject("never".into());
        }
        if REQUESTS.iter().any(|(_, (asked, _))| asked == address) {
            return Outcome::Waiting;
        }
        let code: String = host::random(8).into_iter().map(|byte| char::from(b'A' + byte % 26)).collect();
        REQUESTS.set(&code, &(address, host::now()));
        Outcome::Challenge(Challenge { reply: Some(format!("code {code}")), code, expires_at: host::now() + HOUR })
    }

    fn pending(&self) -> Vec<Request> {
        let request = |(code, (address, at))| Request { code, address, requested_at: at, expires_at: at + HOUR };
        REQUESTS.iter().map(request).collect()
    }

    fn approve(&self, code: &str) -> Result<String, Refusal> {
        let address = self.deny(code)?;
        PAIRED.set(&address, &host::now());
        Ok(address)
    }

    fn deny(&self, code: &str) -> Result<String, Refusal> {
        let (address, at) = REQUESTS.get(code).ok_or(Refusal::UnknownCode)?;
        REQUESTS.delete(code);
        if host::now() < at + HOUR { Ok(address) } else { Err(Refusal::Expired) }
    }

    fn paired(&self) -> Vec<String> {
        PAIRED.names().collect()
    }

    fn unpair(&self, address: &str) -> bool {
        let was_paired = PAIRED.get(address).is_some();
        PAIRED.delete(address);
        was_paired
    }
}

impl Group for Everything {
    fn decide(&self, message: &Message) -> Decision {
        match message.text().split(' ').next() {
            Some("reject") => Decision::Reject("rejected".into()),
            Some("observe") => Decision::Observe,
            Some("abstain") => Decision::Abstain,
            Some("routed") => Decision::Deliver(Some("aside".into())),
            _ => Decision::Deliver(None),
        }
    }
}

impl Filter for Everything {
    fn filter(&self, message: &Message) -> Verdict {
        match message.text().split(' ').next() {
            Some("drop") => Verdict::Drop("dropped".into()),
            Some("reroute") => Verdict::Route("elsewhere".into()),
            Some("pass") => Verdict::Pass,
            _ => Verdict::Label(all_of(message)),
        }
    }
}

impl Chunking for Everything {
    fn split(&self, draft: &Draft) -> Vec<String> {
        let to = draft.recipient.as_deref().unwrap_or("nobody");
        draft.text.split('|').map(|piece| format!("{piece} [{to} {}]", draft.is_group)).collect()
    }
}

/// Every method of every resource, and every function of the host.
fn all_of(message: &Message) -> Vec<String> {
    for (level, name) in [(Level::Debug, "debug"), (Level::Warn, "warn"), (Level::Error, "error")] {
        host::log(level, name);
    }
    let (chat, sender) = (message.chat(), message.sender());
    let seen = store::get::<u64>("seen").unwrap_or_default() + 1;
    store::set("seen", &seen);
    store::set("gone", &true);
    store::delete("gone");
    let mut labels = vec![
        format!("message {} {}", message.id() > 0, !message.guid().is_empty()),
        format!("chat {} {} {}", chat.id() > 0, !chat.guid().is_empty(), !chat.identifier().is_empty()),
        format!("chat.name {}", chat.name().unwrap_or_default()),
        format!("chat.service {:?}", chat.service()),
        format!("chat.is-group {}", chat.is_group()),
        format!("chat.participants {}", chat.participants().join(",")),
        format!("chat.own-addresses {}", chat.own_addresses().join(",")),
        format!("sender {} {} {}", sender.address(), sender.raw(), sender.name().unwrap_or_default()),
        format!("text {}", message.text()),
        format!("mentions {}", message.mentions().join(",")),
        format!("sent-at {}", message.sent_at() > 0),
        format!("arrival {:?}", message.arrival()),
        format!("reply-to {}", message.reply_to().and_then(|quoted| quoted.text.or(quoted.sender)).unwrap_or_default()),
        format!("now {}", host::now() >= message.sent_at()),
        format!("random {}", host::random(8).len()),
        format!("normalize {}", host::normalize("+1 (415) 555-0101").unwrap_or_default()),
        format!("seen {seen}"),
        format!("keys {}", store::keys("see").join(",")),
        format!("gone {:?}", store::get::<bool>("gone")),
    ];
    for attachment in message.attachments() {
        let mime = attachment.mime_type().unwrap_or_default();
        let (name, size) = (attachment.name(), attachment.size());
        labels.push(format!("attachment {name} {mime} {size} {}", attachment.is_sticker()));
    }
    labels
}

export_policy!(Everything: Allowlist, Pairing, Group, Filter, Chunking);
