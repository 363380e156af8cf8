//! The commands that findings name, for the daemon and the configuration that this one was asked about.

use std::borrow::Cow;

use crate::config::choice::Overrides;

/// Those whose options about the database stand before what they are to do.
const GROUPS: [&str; 3] = ["outbox", "held", "pairing"];

/// `imsgd` with these words, and the options that were `said`.
pub fn command(words: &str, said: &Overrides) -> String {
    let of_file = options([
        ("--config", said.config.as_ref().map(|path| path.to_string_lossy())),
        ("--account", said.account.as_deref().map(Cow::from)),
    ]);
    let of_database = options([
        ("--db", said.db.as_ref().map(|path| path.to_string_lossy())),
        ("--socket", said.socket.as_ref().map(|path| path.to_string_lossy())),
    ]);
    match words.split_once(' ') {
        Some(("config", _)) => format!("imsgd {words}{of_file}"),
        Some(("plugin", rest)) if rest.starts_with("check ") => format!("imsgd {words}{of_file}"),
        Some((group, rest)) if GROUPS.contains(&group) => format!("imsgd {group}{of_database} {rest}{of_file}"),
        _ => format!("imsgd {words}{of_file}{of_database}"),
    }
}

fn options(said: [(&str, Option<Cow<'_, str>>); 2]) -> String {
    let given = said.into_iter().filter_map(|(option, value)| Some((option, value?)));
    given.map(|(option, value)| format!(" {option} {}", quoted(&value))).collect()
}

/// As a shell reads it as one word.
fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => Cow::from(word),
        false => Cow::from(format!("'{}'", word.replace('\'', r"'\''"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_takes_the_options_where_it_knows_them() {
        let said = Overrides { account: Some("bot".into()), db: Some("/a b/chat.db".into()), ..Overrides::default() };
        for (words, expected) in [
            ("serve", "imsgd serve --account bot --db '/a b/chat.db'"),
            ("outbox list --limit 10", "imsgd outbox --db '/a b/chat.db' list --limit 10 --account bot"),
            ("config check", "imsgd config check --account bot"),
            ("plugin check a.wasm", "imsgd plugin check a.wasm --account bot"),
            ("plugin log a", "imsgd plugin log a --account bot --db '/a b/chat.db'"),
        ] {
            assert_eq!(command(words, &said), expected);
        }
        assert_eq!(command("serve", &Overrides::default()), "imsgd serve");
    }
}
