//! The table of what a method takes: spellings, types, bounds and defaults, once for what is checked and what is
//! published.

/// One parameter of a method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Param {
    /// The spelling that is published.
    pub name: &'static str,
    /// Other spellings that are taken.
    pub aliases: &'static [&'static str],
    pub kind: Kind,
    pub default: Option<Default>,
    pub is_required: bool,
    /// It says what the request is about. `null` never stands for leaving it out: that would widen the request.
    pub is_selector: bool,
    /// Instead of the usual words for a value out of bounds, after the key; `{value}` is what was given.
    pub refusal: Option<&'static str>,
    /// A sentence for who reads the published document.
    pub about: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// With the least and the greatest value, if any.
    Integer(Option<i64>, Option<i64>),
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// RFC 3339 with seconds and zone.
    Date,
    Flag,
    Texts,
    Objects,
    /// A value of any kind but `null`.
    Any,
    /// Known only to be refused with this text.
    Refused(&'static str),
}

/// What leaving a parameter out means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    Integer(i64),
    Text(&'static str),
    Flag(bool),
}

impl Param {
    const fn new(name: &'static str, kind: Kind) -> Param {
        let (default, refusal) = (None, None);
        Param { name, aliases: &[], kind, default, is_required: false, is_selector: false, refusal, about: "" }
    }

    pub const fn integer(name: &'static str) -> Param {
        Param::new(name, Kind::Integer(None, None))
    }

    pub const fn text(name: &'static str) -> Param {
        Param::new(name, Kind::Text)
    }

    pub const fn choice(name: &'static str, of: &'static [&'static str]) -> Param {
        Param { default: Some(Default::Text(of[0])), ..Param::new(name, Kind::Choice(of)) }
    }

    pub const fn date(name: &'static str) -> Param {
        Param::new(name, Kind::Date)
    }

    /// False unless it says otherwise.
    pub const fn flag(name: &'static str) -> Param {
        Param { default: Some(Default::Flag(false)), ..Param::new(name, Kind::Flag) }
    }

    pub const fn texts(name: &'static str) -> Param {
        Param::new(name, Kind::Texts)
    }

    pub const fn objects(name: &'static str) -> Param {
        Param::new(name, Kind::Objects)
    }

    pub const fn any(name: &'static str) -> Param {
        Param::new(name, Kind::Any)
    }

    pub const fn refused(name: &'static str, with: &'static str) -> Param {
        Param::new(name, Kind::Refused(with))
    }

    pub const fn or(self, aliases: &'static [&'static str]) -> Param {
        Param { aliases, ..self }
    }

    pub const fn at_least(self, least: i64) -> Param {
        let most = if let Kind::Integer(_, most) = self.kind { most } else { None };
        Param { kind: Kind::Integer(Some(least), most), ..self }
    }

    pub const fn at_most(self, most: i64) -> Param {
        let least = if let Kind::Integer(least, _) = self.kind { least } else { None };
        Param { kind: Kind::Integer(least, Some(most)), ..self }
    }

    pub const fn default(self, default: i64) -> Param {
        Param { default: Some(Default::Integer(default)), ..self }
    }

    pub const fn default_true(self) -> Param {
        Param { default: Some(Default::Flag(true)), ..self }
    }

    pub const fn required(self) -> Param {
        Param { is_required: true, ..self }
    }

    pub const fn selector(self) -> Param {
        Param { is_selector: true, ..self }
    }

    pub const fn refusal(self, refusal: &'static str) -> Param {
        Param { refusal: Some(refusal), ..self }
    }

    pub const fn about(self, about: &'static str) -> Param {
        Param { about, ..self }
    }

    /// The published spelling, then the others.
    pub fn spellings(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Does leaving it out, said as `null`, change nothing?
    pub fn takes_null(&self) -> bool {
        !self.is_required && !self.is_selector
    }

    /// Why an integer is not taken, without the key before it; none if it is.
    pub fn out_of_bounds(&self, value: i64) -> Option<String> {
        let Kind::Integer(least, most) = self.kind else { return None };
        if least.is_none_or(|least| value >= least) && most.is_none_or(|most| value <= most) {
            return None;
        }
        let usual = match (least, most) {
            (Some(1), None) => "must be a positive integer".to_owned(),
            (Some(0), None) => "must be a non-negative integer".to_owned(),
            (Some(least), None) => format!("must be an integer of at least {least}"),
            (None, most) => format!("must be an integer of at most {}", most.unwrap_or(i64::MAX)),
            (Some(least), Some(most)) => format!("must be an integer between {least} and {most}"),
        };
        Some(self.refusal.map_or(usual, |refusal| refusal.replace("{value}", &value.to_string())))
    }
}

/// The parameter of this name or spelling.
pub fn spelt(table: &'static [Param], key: &str) -> Option<&'static Param> {
    table.iter().find(|param| param.spellings().any(|spelling| spelling == key))
}

pub const CHAT_ID: Param =
    Param::integer("chat_id").at_least(1).selector().about("Only this chat, by its row. Absent: all chats.");
pub const LIMIT: Param = Param::integer("limit").at_least(1).about("How many at most.");
pub const PARTICIPANTS: Param =
    Param::texts("participants").about("Only messages from these handles. Absent or empty: from anybody.");
pub const START: Param = Param::date("start").about("Not before this time.");
pub const END: Param = Param::date("end").about("Before this time.");
pub const ATTACHMENTS: Param = Param::flag("attachments").about("Fill `attachments` of each message.");
pub const CONVERT_ATTACHMENTS: Param = Param::flag("convert_attachments")
    .about("Also offer a converted file for what models cannot read, where a converter is at hand.");
pub const INCLUDE_REACTIONS: Param = Param::flag("include_reactions").about("Also give the rows of tapbacks.");
