//! `docs/limits.md`: each bound names a test that exists, or why there is none.

use std::path::Path;

use crate::compatibility::check_shown;

#[test]
fn each_bound_of_the_document_has_a_reason_and_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("docs/limits.md")).unwrap();
    let is_bound = |line: &&str| line.starts_with("| ") && !line.starts_with("| What ") && !line.starts_with("| ---");
    let mut count = 0;
    for row in document.lines().filter(is_bound) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [what, bound, _reason, seen, shown] = cells[..] else { panic!("{row}") };
        assert!(!what.is_empty() && !bound.is_empty() && !seen.is_empty(), "{row}");
        check_shown(root, row, shown);
        count += 1;
    }
    assert!(count > 30, "{count} rows");
}
