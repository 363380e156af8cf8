//! Entries of a list that come and go, each with the comment that stands behind it.
//!
//! ```toml
//! allow_from = [
//!   "+15551234567",   # Ann: belongs to the entry before it, but is read as what precedes the next
//!   "bob@example.com",
//! ]
//! ```

use toml_edit::{Array, Value};

use super::is_same;

/// False where it is there already.
pub fn add(list: &mut Array, mut entry: Value) -> bool {
    if list.iter().any(|other| is_same(other, &entry)) {
        return false;
    }
    end_with_a_comma(list);
    let before = list.iter().last().map(prefix).unwrap_or_default();
    match before.rsplit_once('\n') {
        Some((_, indentation)) => {
            // What stands behind the last entry stays there.
            let trailing = text(list.trailing());
            let (behind, after) = trailing.split_once('\n').unwrap_or((&trailing, ""));
            entry.decor_mut().set_prefix(format!("{behind}\n{indentation}"));
            let after = format!("\n{after}");
            list.push_formatted(entry);
            list.set_trailing(after);
            list.set_trailing_comma(true);
        }
        None => list.push(entry),
    }
    true
}

/// False where it is not there.
pub fn remove(list: &mut Array, entry: &Value) -> bool {
    let Some(at) = list.iter().position(|other| is_same(other, entry)) else { return false };
    end_with_a_comma(list);
    let removed = prefix(&list.remove(at));
    // What stood behind the entry before goes on to stand there, and what stood behind this one goes with it.
    let behind_before = removed.split_once('\n').map(|(behind, _)| behind.to_owned());
    let joined = |next: &str| match (&behind_before, next.split_once('\n')) {
        (Some(behind), Some((_, rest))) => format!("{behind}\n{rest}"),
        (None, _) if at == 0 => removed.clone(),
        _ => next.to_owned(),
    };
    if let Some(next) = list.get_mut(at) {
        let joined = joined(&prefix(next));
        next.decor_mut().set_prefix(joined);
    } else if behind_before.is_some() {
        let joined = joined(&text(list.trailing()));
        list.set_trailing(joined);
    }
    true
}

/// Without a comma behind the last entry of several lines, what follows is read as a part of that entry.
fn end_with_a_comma(list: &mut Array) {
    let last = list.len().checked_sub(1).filter(|_| !list.trailing_comma());
    let Some(value) = last.and_then(|last| list.get_mut(last)) else { return };
    let behind = value.decor().suffix().map(text).unwrap_or_default();
    if behind.contains('\n') {
        value.decor_mut().set_suffix("");
        list.set_trailing(behind);
        list.set_trailing_comma(true);
    }
}

fn prefix(value: &Value) -> String {
    value.decor().prefix().map(text).unwrap_or_default()
}

fn text(raw: &toml_edit::RawString) -> String {
    raw.as_str().unwrap_or_default().to_owned()
}
