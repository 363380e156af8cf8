//! Where a text is cut. Pure, and in time that grows with the text and not with its square.

use std::iter;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::Mode;
use crate::fence::{Fence, marker_line};

/// A part of the text, with what is added to keep its code block whole.
#[derive(Debug)]
struct Piece {
    reopening: String,
    body: Range<usize>,
    closing: String,
}

/// A place to end a piece.
#[derive(Clone, Copy)]
struct Cut<'a> {
    end: usize,
    /// Where the next piece begins: white space at a seam is dropped.
    next: usize,
    /// Units of the text before it in this piece.
    used: usize,
    /// The code block that it cuts, if any.
    fence: Option<Fence<'a>>,
}

/// The latest cut of each kind that fits.
#[derive(Default)]
struct Cuts<'a> {
    paragraph: Option<Cut<'a>>,
    line: Option<Cut<'a>>,
    sentence: Option<Cut<'a>>,
    word: Option<Cut<'a>>,
    /// In a line of code, where a word's end means less than the line's.
    code: Option<Cut<'a>>,
    /// Between two grapheme clusters of a word.
    cluster: Option<Cut<'a>>,
    /// The same, but in a URL or in a line that opens or closes a code block.
    last_resort: Option<Cut<'a>>,
}

pub(crate) fn split(text: &str, limit: usize, mode: Mode) -> Vec<String> {
    pieces(text, limit, mode)
        .into_iter()
        .map(|piece| [&piece.reopening, &text[piece.body], &piece.closing].concat())
        .collect()
}

/// The length of a text as gateways count it.
pub(crate) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

fn pieces(text: &str, limit: usize, mode: Mode) -> Vec<Piece> {
    // Once for the whole text: a cluster may be longer than many messages.
    let cluster_ends: Vec<usize> = text.grapheme_indices(true).map(|(at, cluster)| at + cluster.len()).collect();
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut open: Option<Fence> = None;
    while !is_blank(&text[start..]) {
        let reopening = open.map_or_else(String::new, |fence| fence.reopening());
        let room = limit - units(&reopening);
        match next_cut(text, &cluster_ends, start, open, room, limit, mode) {
            None => {
                pieces.push(Piece { reopening, body: start..text.len(), closing: String::new() });
                break;
            }
            Some(cut) => {
                // Without a body, it only skips white space that fits nowhere.
                if cut.end > start {
                    let closing = cut.fence.map_or_else(String::new, |fence| fence.closing());
                    pieces.push(Piece { reopening, body: start..cut.end, closing });
                }
                (start, open) = (cut.next, cut.fence);
            }
        }
    }
    pieces
}

/// Where to end the piece that begins at `start`. None where all the rest fits.
fn next_cut<'a>(
    text: &'a str,
    cluster_ends: &[usize],
    start: usize,
    mut fence: Option<Fence<'a>>,
    room: usize,
    limit: usize,
    mode: Mode,
) -> Option<Cut<'a>> {
    let mut cuts = Cuts::default();
    let mut used = 0;
    // Where the white space began that we are in, and what was used before it.
    let mut blank: Option<(usize, usize)> = None;
    // No good cut up to here: a URL or a marker line is not over. And what was open before that line.
    let mut unbroken_until = start;
    let mut fence_before = fence;
    let mut previous = "";

    let rest = &cluster_ends[cluster_ends.partition_point(|end| *end <= start)..];
    for (at, cluster_end) in iter::once(start).chain(rest.iter().copied()).zip(rest) {
        let cluster = &text[at..*cluster_end];
        if is_blank(cluster) {
            blank.get_or_insert((at, used));
            used += units(cluster);
            continue;
        }
        // Of one that does not fit, so much as tells it.
        let cluster_units = cluster.chars().take(room + 1).map(char::len_utf16).sum::<usize>();
        let marker = marker_line(text, at, fence, limit);
        let run = blank.take();
        let (end, used_before) = run.unwrap_or((at, used));
        let cut = Cut {
            end,
            next: resume(&text[end..at], end),
            used: used_before,
            fence: if at < unbroken_until { fence_before } else { fence },
        };
        // A block that ends here anyway is not to be closed and reopened for its last line.
        let closes = marker.as_ref().is_some_and(|marker| marker.closes_kept);
        if end == start {
            // An indentation that leaves no room for anything is dropped.
            if run.is_some() && used + cluster_units + closing_units(fence) > room {
                return Some(Cut { next: at, ..cut });
            }
        } else if used_before + closing_units(cut.fence) <= room {
            if end <= unbroken_until || closes {
                cuts.last_resort = Some(cut);
            } else if cuts.add(cut, &text[end..at], previous) && mode == Mode::Newline {
                return Some(cut);
            }
        }
        if let Some(marker) = marker {
            (fence_before, fence) = (fence, marker.then);
            unbroken_until = marker.unbroken_until;
        } else if (at > unbroken_until || at == start)
            && let Some(end) = url_end(text, at, limit)
        {
            (fence_before, unbroken_until) = (fence, end - 1);
        }
        used += cluster_units;
        if used > room {
            return Some(cuts.best(room).unwrap_or_else(|| inside_cluster(text, start, room, fence)));
        }
        previous = cluster;
    }
    match blank {
        // Only white space is too much.
        Some((end, used_before)) if used > room => Some(Cut { end, next: text.len(), used: used_before, fence: None }),
        _ => None,
    }
}

impl<'a> Cuts<'a> {
    /// Notes a cut at the white space `run`, which may be empty. Tells whether a paragraph ends there.
    fn add(&mut self, cut: Cut<'a>, run: &str, previous: &str) -> bool {
        let lines = run.matches('\n').count();
        let paragraph = lines > 1 && cut.fence.is_none();
        if paragraph {
            self.paragraph = Some(cut);
        } else if lines > 0 {
            self.line = Some(cut);
        } else if cut.fence.is_none() && ends_sentence(previous, run.is_empty()) {
            self.sentence = Some(cut);
        }
        if run.is_empty() {
            self.cluster = Some(cut);
        } else if cut.fence.is_none() || lines > 0 {
            self.word = Some(cut);
        } else {
            self.code = Some(cut);
        }
        paragraph
    }

    /// A better kind of cut is not worth a message that is less than half full.
    fn best(&self, room: usize) -> Option<Cut<'a>> {
        [self.paragraph, self.line, self.sentence]
            .into_iter()
            .flatten()
            .find(|cut| cut.used * 2 >= room)
            .or(self.word)
            .or(self.code)
            .or(self.cluster)
            .or(self.last_resort)
    }
}

/// One cluster that is longer than a message.
fn inside_cluster<'a>(text: &str, start: usize, room: usize, fence: Option<Fence<'a>>) -> Cut<'a> {
    let room = room - closing_units(fence);
    let mut used = 0;
    let fitting = text[start..].chars().take_while(|c| {
        used += c.len_utf16();
        used <= room
    });
    let end = start + fitting.map(char::len_utf8).sum::<usize>();
    Cut { end, next: end, used, fence }
}

fn closing_units(fence: Option<Fence>) -> usize {
    fence.map_or(0, |fence| fence.closing_units())
}

/// Where to go on after the white space `run` that begins at `start`. The indentation of a line is kept.
fn resume(run: &str, start: usize) -> usize {
    start + run.rfind('\n').map_or(run.len(), |newline| newline + 1)
}

/// White space at which a line may be broken.
fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() && !matches!(c, '\u{a0}' | '\u{2007}' | '\u{202f}'))
}

/// Whether a sentence may end after `previous`. Chinese and Japanese put no space there.
fn ends_sentence(previous: &str, no_space: bool) -> bool {
    let Some(last) = previous.chars().next_back() else {
        return false;
    };
    matches!(last, '。' | '！' | '？') || (!no_space && matches!(last, '.' | '!' | '?' | '…'))
}

/// The end of the URL that begins at `at`, if one does; of one that no message can hold, a place in it.
fn url_end(text: &str, at: usize, limit: usize) -> Option<usize> {
    let in_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let rest = &text[at..];
    if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) || text[..at].ends_with(in_scheme) {
        return None;
    }
    /// Longer than any scheme in use.
    const LONGEST: usize = 24;
    let scheme = rest.bytes().take(LONGEST).take_while(|byte| in_scheme(char::from(*byte))).count();
    if !rest[scheme..].starts_with("://") {
        return None;
    }
    let ends = |c: char| c.is_whitespace() || "<>\"`、。，！？「」『』（）【】".contains(c);
    let length: usize = rest.chars().take(limit).take_while(|c| !ends(*c)).map(char::len_utf8).sum();
    (length > scheme + "://".len()).then_some(at + length)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn check(text: &str, limit: usize, expected: &[&str]) {
        assert_eq!(split(text, limit, Mode::Length), expected, "{text:?} at {limit}");
    }

    #[test]
    fn a_paragraph_is_preferred_to_a_line_and_a_line_to_a_sentence_and_that_to_a_word() {
        check("aaaaaaaa\n\nbb\ncc. dd ee", 15, &["aaaaaaaa", "bb\ncc. dd ee"]);
        check("aaaa bb\ncc. dd ee", 14, &["aaaa bb", "cc. dd ee"]);
        check("aaaa bb. cc dd ee", 14, &["aaaa bb.", "cc dd ee"]);
        check("aaaa bb cc dd ee", 14, &["aaaa bb cc dd", "ee"]);
    }

    #[test]
    fn a_better_cut_is_not_taken_where_it_leaves_most_of_a_message_empty() {
        check("a\n\nbbb ccc ddd eee", 14, &["a\n\nbbb ccc ddd", "eee"]);
    }

    #[test]
    fn a_sentence_in_chinese_or_japanese_ends_without_a_space() {
        check("日本語です。次の文です", 8, &["日本語です。", "次の文です"]);
    }

    #[test]
    fn white_space_is_dropped_at_a_seam_but_not_the_next_lines_indentation() {
        check("aaaa  \n\n  bbbb   cccc", 8, &["aaaa", "  bbbb", "cccc"]);
    }

    #[test]
    fn white_space_that_fits_nowhere_is_dropped() {
        check(&format!("{}aaaa{}bbbb", " ".repeat(50), "\n".repeat(50)), 8, &["aaaa", "bbbb"]);
        check(&format!("aaaa{}", " ".repeat(50)), 8, &["aaaa"]);
    }

    #[test]
    fn a_no_break_space_is_not_a_seam() {
        check("aa bb\u{a0}!", 6, &["aa", "bb\u{a0}!"]);
    }

    #[test]
    fn a_grapheme_cluster_is_not_cut() {
        for cluster in ["👨\u{200d}👩\u{200d}👧\u{200d}👦", "🇦🇹", "e\u{301}"] {
            let text = cluster.repeat(5);
            for limit in units(cluster)..units(&text) {
                for piece in split(&text, limit, Mode::Length) {
                    assert_eq!(piece.replace(cluster, ""), "", "{text} at {limit}");
                }
            }
        }
    }

    #[test]
    fn a_cluster_longer_than_a_message_is_cut_between_characters() {
        check("👨\u{200d}👩", 3, &["👨\u{200d}", "👩"]);
        check("e\u{301}\u{301}\u{301}", 2, &["e\u{301}", "\u{301}\u{301}"]);
    }

    #[test]
    fn a_url_is_not_cut_unless_it_is_longer_than_a_message() {
        check("見て：https://example.com/a/b", 23, &["見て：", "https://example.com/a/b"]);
        check("aa（https://example.com/a/b）", 24, &["aa（", "https://example.com/a/b）"]);
        check("https://example.com/a/b", 12, &["https://exam", "ple.com/a/b"]);
    }

    #[test]
    fn a_code_block_is_closed_in_one_piece_and_reopened_in_the_next() {
        check(
            "See:\n```rust\nlet a = 1;\nlet b = 2;\n```\nDone.",
            34,
            &["See:\n```rust\nlet a = 1;\n```", "```rust\nlet b = 2;\n```\nDone."],
        );
        check("~~~\n  aaaa\n  bbbb\n~~~", 18, &["~~~\n  aaaa\n~~~", "~~~\n  bbbb\n~~~"]);
    }

    #[test]
    fn a_piece_does_not_end_just_after_a_block_opened() {
        check(
            "aaaa bbbb cccc\n```rust\nlet a_long_name = 1;\n```",
            40,
            &["aaaa bbbb cccc", "```rust\nlet a_long_name = 1;\n```"],
        );
    }

    #[test]
    fn a_marker_that_would_fill_half_a_message_is_left_as_text() {
        check("```rust\naaaa bbbb\n```", 10, &["```rust", "aaaa bbbb", "```"]);
    }

    #[test]
    fn backticks_within_a_line_open_nothing() {
        check("```a``` bbbb cccc\na ```\ndddd", 17, &["```a``` bbbb cccc", "a ```\ndddd"]);
    }

    /// A generator of numbers, good enough for texts.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % sides
        }
    }

    const URLS: [&str; 2] = ["https://example.com/path?q=1", "https://example.org/x"];

    const PARTS: [&str; 24] = [
        "word",
        "another",
        "a",
        "end. ",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\r\n",
        "日本語",
        "です。",
        "👨\u{200d}👩\u{200d}👧\u{200d}👦",
        "🇦🇹",
        "🇩🇪🇨🇭",
        "👍🏽",
        "e\u{301}",
        "\u{a0}",
        " https://example.com/path?q=1 ",
        "見https://example.org/x。",
        "\n```rust\nlet x = 1;\n    let y = 2;\n```\n",
        "\n~~~\ncode code\n\ncode\n~~~\n",
        "`",
        "\t",
        "Averylongwordwithoutanyspacewhatsoeverinit",
    ];

    fn random_text(dice: &mut Dice) -> String {
        let parts = 1 + dice.roll(60);
        (0..parts).map(|_| PARTS[dice.roll(PARTS.len())]).collect()
    }

    fn for_random_texts(limits: Range<usize>, holds: impl Fn(&str, usize, &[Piece], &[String])) {
        let mut dice = Dice(7);
        for _ in 0..1500 {
            let text = random_text(&mut dice);
            let limit = limits.start + dice.roll(limits.len());
            for mode in [Mode::Length, Mode::Newline] {
                holds(&text, limit, &pieces(&text, limit, mode), &split(&text, limit, mode));
            }
        }
    }

    #[test]
    fn every_piece_fits_and_says_something() {
        for_random_texts(2..150, |text, limit, _, written| {
            for piece in written {
                assert!(units(piece) <= limit, "{piece:?} of {text:?} at {limit}");
                assert!(!is_blank(piece), "{piece:?} of {text:?} at {limit}");
            }
        });
    }

    #[test]
    fn nothing_but_white_space_at_seams_is_lost() {
        for_random_texts(2..150, |text, limit, pieces, _| {
            let mut at = 0;
            for piece in pieces {
                assert!(is_blank(&text[at..piece.body.start]), "{pieces:?} of {text:?} at {limit}");
                at = piece.body.end;
            }
            assert!(is_blank(&text[at..]), "{pieces:?} of {text:?} at {limit}");
        });
    }

    #[test]
    fn no_cluster_is_cut() {
        for_random_texts(32..150, |text, limit, pieces, _| {
            let boundaries: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).chain([text.len()]).collect();
            for piece in pieces {
                for at in [piece.body.start, piece.body.end] {
                    assert!(boundaries.binary_search(&at).is_ok(), "{piece:?} of {text:?} at {limit}");
                }
            }
        });
    }

    #[test]
    fn no_url_is_cut() {
        for_random_texts(80..150, |text, limit, pieces, _| {
            for (start, url) in URLS.iter().flat_map(|url| text.match_indices(url)) {
                let whole = |piece: &Piece| piece.body.start <= start && start + url.len() <= piece.body.end;
                assert!(pieces.iter().any(whole), "{url} of {text:?} at {limit}");
            }
        });
    }

    #[test]
    fn no_piece_leaves_a_block_open_that_the_text_closes() {
        for_random_texts(64..150, |text, limit, _, written| {
            if is_open_at_end(text) {
                return;
            }
            for piece in written {
                assert!(!is_open_at_end(piece), "{piece:?} of {text:?} at {limit}");
            }
        });
    }

    fn is_open_at_end(text: &str) -> bool {
        let mut open = None;
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let first = at + line.len() - line.trim_start().len();
            if !is_blank(line)
                && let Some(marker) = marker_line(text, first, open, usize::MAX / 2)
            {
                open = marker.then;
            }
            at += line.len();
        }
        open.is_some()
    }

    #[test]
    fn time_grows_with_the_text_and_not_with_its_square() {
        let mut dice = Dice(1);
        let mixed: String = (0..6000).map(|_| PARTS[dice.roll(PARTS.len())]).collect();
        let texts = [
            mixed,
            "x".repeat(1 << 16),
            "x ".repeat(1 << 15),
            " ".repeat(1 << 16),
            "`".repeat(1 << 16),
            "```\n".repeat(1 << 16),
            "a://".repeat(1 << 16),
            format!("https://{}", "x/".repeat(1 << 15)),
            format!("x{}", "\u{301}".repeat(1 << 15)),
        ];
        for text in texts {
            for limit in [20, 4000] {
                let begun = Instant::now();
                split(&text, limit, Mode::Length);
                let taken = begun.elapsed();
                let what: String = text.chars().take(20).collect();
                // For builds without optimization on busy machines; a square would take hours.
                assert!(taken < Duration::from_secs(5), "{taken:?} for {what:?} at {limit}");
            }
        }
    }
}
