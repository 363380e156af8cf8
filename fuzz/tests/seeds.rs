//! Every seed passes its target, without a fuzzer.

use imsgd_fuzz::{seeds, targets};

#[test]
fn every_seed_passes_its_target() {
    for (target, seeds) in seeds::all() {
        assert!(seeds.len() > 1, "{target}");
        let look: fn(&[u8]) = match target {
            "body" => targets::body,
            "summary" => targets::summary,
            "poll" => targets::poll,
            "lines" => targets::lines,
            other => panic!("{other}"),
        };
        seeds.iter().for_each(|seed| look(seed));
    }
}
