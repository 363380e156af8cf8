//! What a command says when it fails: on stderr, in the words that `imsg` uses, and with `--json` once more as JSON.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

use super::look::{self, WRONG, paint};

/// A request that was refused, as JSON-RPC tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub code: i64,
    pub data: Value,
    text: String,
}

/// The code of errors about a database that cannot be read.
const DATABASE_UNAVAILABLE: i64 = -32002;

impl Failure {
    /// From the `error` of an answer.
    pub fn new(error: &Value) -> Failure {
        let data = error.get("data").cloned().unwrap_or_default();
        let text = match delivery(&data) {
            Some(text) => text,
            None => {
                let detail = data.get("detail").or(Some(&data)).filter(|detail| !detail.is_null());
                let detail = detail.or(error.get("message")).unwrap_or(error);
                detail.as_str().map_or_else(|| detail.to_string(), str::to_owned)
            }
        };
        Failure { code: error["code"].as_i64().unwrap_or(0), data, text }
    }

    /// The same failure in other words.
    pub fn says(self, text: impl Into<String>) -> Failure {
        Failure { text: text.into(), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

/// Section 2.8 of the specification.
fn delivery(data: &Value) -> Option<String> {
    let field = |name: &str| data.get(name)?.as_str();
    let (transport, operation) = (field("transport")?, field("operation")?);
    let (disposition, detail) = (field("disposition")?, field("detail")?);
    let advice = match data.get("retry_safe")?.as_bool()? {
        true => "Nothing left, so retry is safe.",
        false => "It may have left: retry is not safe before a look into the chat.",
    };
    Some(format!("{transport} {operation} failed ({disposition}): {detail}\n{advice}"))
}

/// Prints an error with its causes; with `json`, a JSON object as the last line as well.
pub fn print(error: &anyhow::Error, json: bool) {
    let mut text = format!("{} {}\n", paint(WRONG, "error:"), look::harmless_text(&error.to_string()));
    for cause in error.chain().skip(1) {
        text.push_str(&format!("  because: {}\n", look::harmless_text(&cause.to_string())));
    }
    let failure = error.downcast_ref::<Failure>();
    if let Some(failure) = failure.filter(|failure| failure.code == DATABASE_UNAVAILABLE) {
        text.push_str(&permission_advice(failure));
    }
    if json {
        let said = error.to_string();
        let said = if failure.is_some() { &said } else { said.lines().next().unwrap_or_default() };
        let mut object = json!({"success": false, "error": said});
        if let Some(failure) = failure.filter(|failure| failure.data.is_object()) {
            object["code"] = failure.code.into();
            object["data"] = failure.data.clone();
        }
        text.push_str(&format!("{object}\n"));
    }
    look::complain(&text);
}

/// What may be done where the system does not let the database be read.
fn permission_advice(failure: &Failure) -> String {
    let path = failure.data["path"].as_str().unwrap_or("the Messages database");
    if !failure.text.contains("Full Disk Access") {
        let is_missing = !Path::new(path).exists();
        let text =
            "If it is there all the same, this is a Permission Error: who looks for it needs Full Disk Access.\n";
        return if is_missing { text.to_owned() } else { String::new() };
    }
    format!(
        "
Permission Error: imsgd needs Full Disk Access to read {path}
  1. Open System Settings, Privacy & Security, Full Disk Access.
  2. Allow imsgd, and the parent launcher that starts it: a terminal, an editor, an SSH server.
  3. In a terminal of another maker, allow the built-in Terminal.app too.
  4. Remove stale entries of an imsgd that was replaced, and add it anew.
  5. Restart imsgd and its launcher.
Or let `imsgd serve` run with that permission: then the other commands ask it, and need none.
x-apple.systempreferences:com.apple.preference.security?Privacy_AllFiles
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::error::RpcError;

    #[test]
    fn a_delivery_that_failed_says_whether_it_may_be_repeated() {
        let safe = Failure::new(&RpcError::not_started("no chat").to_json());
        assert!(safe.to_string().starts_with("applescript send failed (not_started): no chat\n"));
        assert!(safe.to_string().contains("retry is safe"));
        let unknown = Failure::new(&RpcError::may_have_completed("no row").to_json());
        assert!(unknown.to_string().starts_with("applescript send failed (may_have_completed): no row\n"));
        assert!(unknown.to_string().contains("retry is not safe"));
    }

    #[test]
    fn other_errors_say_their_detail() {
        for (data, said) in [(json!("plain"), "plain"), (json!({"detail": "x", "path": "/"}), "x"), (Value::Null, "m")]
        {
            assert_eq!(Failure::new(&json!({"code": 1, "message": "m", "data": data})).to_string(), said);
        }
    }

    #[test]
    fn what_to_do_about_a_missing_permission_is_told_where_it_helps() {
        let advice = |detail: &str, path: &str| {
            let data = json!({"detail": detail, "path": path});
            permission_advice(&Failure::new(&json!({"code": DATABASE_UNAVAILABLE, "data": data})))
        };
        let denied = advice("cannot read; give imsgd Full Disk Access", "/a/chat.db");
        for words in ["Permission Error", "/a/chat.db", "parent launcher", "built-in Terminal.app", "stale entries"] {
            assert!(denied.contains(words), "{words}: {denied}");
        }
        let missing = advice("there is no database", "/nowhere/chat.db");
        assert!(missing.contains("Permission Error") && missing.contains("Full Disk Access"));
        assert_eq!(advice("it is not a Messages database", "/"), "");
    }
}
