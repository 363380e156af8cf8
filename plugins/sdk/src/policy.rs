//! The traits that a policy's type implements: [`Policy`], and one for each question that it answers.
//!
//! They take `&self`: an instance lives until it traps or is replaced, so what must last belongs in the
//! [`store`](crate::store), where it commits together with the answer.

use serde::de::DeserializeOwned;

use crate::{Admission, Decision, Draft, Message, Outcome, Refusal, Request, Verdict};

pub trait Policy: Sized + 'static {
    /// The plugin's own table in imsgd's configuration; [`NoConfig`](crate::NoConfig) where it has none.
    /// Mark it `#[serde(deny_unknown_fields)]`, so that a misspelt key is an error and not a lost rule.
    type Config: DeserializeOwned;

    /// Called once, before any question. An error refuses the plugin, and the one that it would have
    /// replaced stays: say which key is wrong.
    fn configure(config: Self::Config) -> Result<Self, String>;
}

/// May this person write to us directly? The first policy that does not abstain decides.
///
/// ```
/// use imsgd_plugin::{Admission, Allowlist, Entries, Message, Policy, export_policy};
/// use serde::Deserialize;
///
/// #[derive(Default, Deserialize)]
/// #[serde(deny_unknown_fields, default)]
/// struct Config {
///     team: Entries,
///     banned: Entries,
/// }
///
/// struct Team(Config);
///
/// impl Policy for Team {
///     type Config = Config;
///     fn configure(config: Config) -> Result<Self, String> {
///         Ok(Self(config))
///     }
/// }
///
/// impl Allowlist for Team {
///     fn admit(&self, message: &Message) -> Admission {
///         if self.0.banned.matches(message) {
///             return Admission::Reject("banned".into());
///         }
///         match self.0.team.matches(message) {
///             true => Admission::Admit(Some("team".into())),
///             false => Admission::Abstain,
///         }
///     }
/// }
///
/// export_policy!(Team: Allowlist);
///
/// # use imsgd_plugin::{parse_config, testing::message};
/// let team = Team::configure(parse_config(r#"{"team": ["(555) 123-4567"]}"#).unwrap()).unwrap();
/// assert_eq!(team.admit(&message("+15551234567", "hi")), Admission::Admit(Some("team".into())));
/// assert_eq!(team.admit(&message("+15559999999", "hi")), Admission::Abstain);
/// ```
pub trait Allowlist: Policy {
    fn admit(&self, message: &Message) -> Admission;
}

/// Introduces strangers: asked about direct messages on which every allowlist abstained.
///
/// ```
/// use imsgd_plugin::store::Table;
/// use imsgd_plugin::{
///     Challenge, Message, NoConfig, Outcome, Pairing, Policy, Refusal, Request, export_policy, fold_code, host, random_code,
/// };
/// use serde::{Deserialize, Serialize};
///
/// /// By code.
/// const REQUESTS: Table<Asked> = Table::new("request/");
/// /// By address, with the time.
/// const PAIRED: Table<u64> = Table::new("paired/");
/// const DAY: u64 = 24 * 60 * 60 * 1000;
///
/// #[derive(Serialize, Deserialize)]
/// struct Asked {
///     address: String,
///     at: u64,
/// }
///
/// struct Codes;
///
/// impl Policy for Codes {
///     type Config = NoConfig;
///     fn configure(_: NoConfig) -> Result<Self, String> {
///         Ok(Self)
///     }
/// }
///
/// impl Pairing for Codes {
///     fn screen(&self, message: &Message) -> Outcome {
///         let address = message.sender().address();
///         if PAIRED.get(&address).is_some() {
///             return Outcome::Paired(None);
///         }
///         if self.pending().iter().any(|request| request.address == address) {
///             return Outcome::Waiting;
///         }
///         let (code, at) = (random_code(8), host::now());
///         REQUESTS.set(&code, &Asked { address, at });
///         let reply = Some(format!("Tell the owner this code: {code}"));
///         Outcome::Challenge(Challenge { code, reply, expires_at: at + DAY })
///     }
///
///     fn pending(&self) -> Vec<Request> {
///         let alive = REQUESTS.iter().filter(|(_, asked)| host::now() < asked.at + DAY);
///         let request = |(code, Asked { address, at })| Request { code, address, requested_at: at, expires_at: at + DAY };
///         alive.map(request).collect()
///     }
///
///     fn approve(&self, code: &str) -> Result<String, Refusal> {
///         let address = self.deny(code)?;
///         PAIRED.set(&address, &host::now());
///         Ok(address)
///     }
///
///     fn deny(&self, code: &str) -> Result<String, Refusal> {
///         let code = fold_code(code);
///         let asked = REQUESTS.get(&code).ok_or(Refusal::UnknownCode)?;
///         REQUESTS.delete(&code);
///         if host::now() < asked.at + DAY { Ok(asked.address) } else { Err(Refusal::Expired) }
///     }
///
///     fn paired(&self) -> Vec<String> {
///         PAIRED.names().collect()
///     }
///
///     fn unpair(&self, address: &str) -> bool {
///         let was_paired = PAIRED.get(address).is_some();
///         PAIRED.delete(address);
///         was_paired
///     }
/// }
///
/// export_policy!(Codes: Pairing);
///
/// # use imsgd_plugin::testing::message;
/// let Outcome::Challenge(challenge) = Codes.screen(&message("+15551234567", "hi")) else { panic!() };
/// assert_eq!(Codes.approve(&challenge.code).as_deref(), Ok("+15551234567"));
/// assert_eq!(Codes.screen(&message("+15551234567", "hi again")), Outcome::Paired(None));
/// ```
pub trait Pairing: Policy {
    /// A new request is a [`Outcome::Challenge`]; the message is held until the owner decides.
    fn screen(&self, message: &Message) -> Outcome;
    fn pending(&self) -> Vec<Request>;
    /// Returns the address that is now paired.
    fn approve(&self, code: &str) -> Result<String, Refusal>;
    /// Returns the address whose request is gone.
    fn deny(&self, code: &str) -> Result<String, Refusal>;
    fn paired(&self) -> Vec<String>;
    /// False where the address was not paired.
    fn unpair(&self, address: &str) -> bool;
}

/// What becomes of a message in a group chat? The first policy that does not abstain decides.
///
/// ```
/// use imsgd_plugin::{Decision, Group, Message, NoConfig, Policy, export_policy};
///
/// struct Mentioned;
///
/// impl Policy for Mentioned {
///     type Config = NoConfig;
///     fn configure(_: NoConfig) -> Result<Self, String> {
///         Ok(Self)
///     }
/// }
///
/// impl Group for Mentioned {
///     fn decide(&self, message: &Message) -> Decision {
///         let ours = message.chat().own_addresses();
///         match message.mentions().iter().any(|mentioned| ours.contains(mentioned)) {
///             true => Decision::Deliver(None),
///             // Context for the next one that does mention us.
///             false => Decision::Observe,
///         }
///     }
/// }
///
/// export_policy!(Mentioned: Group);
///
/// # use imsgd_plugin::testing::message;
/// let mut hello = message("+15551234567", "hello");
/// assert_eq!(Mentioned.decide(&hello), Decision::Observe);
/// hello.mentions = hello.chat.own_addresses.clone();
/// assert_eq!(Mentioned.decide(&hello), Decision::Deliver(None));
/// ```
pub trait Group: Policy {
    fn decide(&self, message: &Message) -> Decision;
}

/// Any other rule on messages that were admitted. Every filter is asked, in order.
///
/// ```
/// use imsgd_plugin::store::Table;
/// use imsgd_plugin::{Filter, Message, NoConfig, Policy, Verdict, export_policy, host};
///
/// /// By address, when its first message came.
/// const KNOWN: Table<u64> = Table::new("known/");
///
/// struct FirstTime;
///
/// impl Policy for FirstTime {
///     type Config = NoConfig;
///     fn configure(_: NoConfig) -> Result<Self, String> {
///         Ok(Self)
///     }
/// }
///
/// impl Filter for FirstTime {
///     fn filter(&self, message: &Message) -> Verdict {
///         let address = message.sender().address();
///         if KNOWN.get(&address).is_some() {
///             return Verdict::Pass;
///         }
///         KNOWN.set(&address, &host::now());
///         Verdict::Label(vec!["first_message".into()])
///     }
/// }
///
/// export_policy!(FirstTime: Filter);
///
/// # use imsgd_plugin::testing::message;
/// assert_eq!(FirstTime.filter(&message("+15551234567", "hi")), Verdict::Label(vec!["first_message".into()]));
/// assert_eq!(FirstTime.filter(&message("+15551234567", "hi")), Verdict::Pass);
/// ```
pub trait Filter: Policy {
    fn filter(&self, message: &Message) -> Verdict;
}

/// How outgoing text becomes messages. Only the first such policy is asked.
///
/// ```
/// use imsgd_plugin::{Chunking, Draft, NoConfig, Policy, export_policy};
///
/// struct Paragraphs;
///
/// impl Policy for Paragraphs {
///     type Config = NoConfig;
///     fn configure(_: NoConfig) -> Result<Self, String> {
///         Ok(Self)
///     }
/// }
///
/// impl Chunking for Paragraphs {
///     fn split(&self, draft: &Draft) -> Vec<String> {
///         let paragraphs = draft.text.split("\n\n").map(str::trim);
///         paragraphs.filter(|paragraph| !paragraph.is_empty()).map(str::to_owned).collect()
///     }
/// }
///
/// export_policy!(Paragraphs: Chunking);
///
/// let draft = Draft { text: "One.\n\nTwo.".into(), is_group: false, recipient: None };
/// assert_eq!(Paragraphs.split(&draft), ["One.", "Two."]);
/// ```
pub trait Chunking: Policy {
    /// In order; joined, the pieces carry all of the text but white space at the seams.
    fn split(&self, draft: &Draft) -> Vec<String>;
}
