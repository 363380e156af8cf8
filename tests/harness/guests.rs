//! Components to be loaded: the hostile guest, whose misdeed its configuration picks, and what is none of ours.

/// What `plugins/guests/hostile` was built into.
pub const HOSTILE: &[u8] = include_bytes!("../../plugins/dist/guests/hostile.wasm");

/// Another build of the same: a section that nobody reads makes it another file.
pub fn hostile_build(number: u8) -> Vec<u8> {
    let mut bytes = HOSTILE.to_vec();
    bytes.extend([0, 7, 5, b'b', b'u', b'i', b'l', b'd', number]);
    bytes
}

/// Files that are no plugin for this host, each with words of the reason.
pub fn wrong_components() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let text = |text: &str| wat::parse_str(text).expect("correct WebAssembly");
    vec![
        ("core_module", text("(module)"), "core module"),
        ("no_exports", text("(component)"), "exports no policy interface"),
        (
            "foreign_import",
            text(r#"(component (import "acme:net/http@1.0.0" (instance)))"#),
            "imports `acme:net/http@1.0.0`, which this host does not offer",
        ),
        (
            "other_version",
            text(r#"(component (instance $i) (export "imsgd:policy/filter@0.2.0" (instance $i)))"#),
            "needs `imsgd:policy/filter@0.2.0`, this host has imsgd:policy/*@0.1.0",
        ),
        ("truncated", HOSTILE[..HOSTILE.len() / 2].to_vec(), "not a WebAssembly component"),
        ("no_wasm", b"this is not WebAssembly".to_vec(), "not a WebAssembly component"),
        ("empty", Vec::new(), "not a WebAssembly component"),
        ("oversized", vec![0; (32 << 20) + 1], "larger than 33554432 bytes"),
    ]
}
