//! Fenced code blocks, as far as cutting a text needs them.

use crate::cut::units;

/// An open code block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fence<'a> {
    /// The line that opened it, from the marker on: marker and info string.
    line: &'a str,
    marker: &'a str,
    /// Whether to close and reopen it at a cut. Not where that would fill half of a message.
    kept: bool,
}

/// A line that opens a block, or closes the one that is open.
pub(crate) struct MarkerLine<'a> {
    /// What is open after it.
    pub(crate) then: Option<Fence<'a>>,
    /// Whether it closes a block that a cut before it would have to close.
    pub(crate) closes_kept: bool,
    /// The last place that is no good for a cut: after a line that opens a block there is nothing to close
    /// yet. The line's own beginning where the block is not kept.
    pub(crate) unbroken_until: usize,
}

impl<'a> Fence<'a> {
    /// What goes before the rest of the block in the next message.
    pub(crate) fn reopening(&self) -> String {
        if self.kept { format!("{}\n", self.line) } else { String::new() }
    }

    /// What goes after the part of the block in this one.
    pub(crate) fn closing(&self) -> String {
        if self.kept { format!("\n{}", self.marker) } else { String::new() }
    }

    pub(crate) fn closing_units(&self) -> usize {
        if self.kept { 1 + self.marker.len() } else { 0 }
    }
}

/// The marker line whose first sign is at `at`, if one is.
pub(crate) fn marker_line<'a>(
    text: &'a str,
    at: usize,
    open: Option<Fence<'a>>,
    limit: usize,
) -> Option<MarkerLine<'a>> {
    let rest = &text[at..];
    let sign = rest.chars().next().filter(|sign| matches!(sign, '`' | '~'))?;
    if !begins_line(&text[..at]) {
        return None;
    }
    let marker = &rest[..rest.len() - rest.trim_start_matches(sign).len()];
    if marker.len() < 3 {
        return None;
    }
    let line = rest.lines().next()?.trim_end();
    let info = &line[marker.len()..];
    let end = at + line.len();
    match open {
        Some(open) => {
            // With words after it, or of the other kind, or shorter, it is but code.
            let closes = info.is_empty() && open.marker.starts_with(sign) && marker.len() >= open.marker.len();
            closes.then_some(MarkerLine {
                then: None,
                closes_kept: open.kept,
                unbroken_until: if open.kept { end - 1 } else { at },
            })
        }
        // Three signs and more of them later in the line are code within a line.
        None if sign == '`' && info.contains(sign) => None,
        None => {
            let overhead = units(line) + 1 + marker.len() + 1;
            let kept = overhead * 2 <= limit;
            Some(MarkerLine {
                then: Some(Fence { line, marker, kept }),
                closes_kept: false,
                unbroken_until: if kept { end } else { at },
            })
        }
    }
}

/// Whether there is nothing in the line but an indentation of at most three spaces.
fn begins_line(before: &str) -> bool {
    let unindented = before.trim_end_matches(' ');
    before.len() - unindented.len() <= 3 && (unindented.is_empty() || unindented.ends_with('\n'))
}
