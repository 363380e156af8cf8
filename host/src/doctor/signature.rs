//! The code signature of the daemon's program, as `codesign` tells of it. macOS keeps a grant for what a signature
//! requires: where that is a hash of the code, each new build is a stranger.

use std::path::Path;

use super::{Finding, Seen, System};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    pub is_signed: bool,
    pub is_ad_hoc: bool,
    /// For an app its bundle identifier.
    pub identifier: Option<String>,
    /// Who signed it.
    pub authority: Option<String>,
    /// The designated requirement: what the program has to be, for macOS to take it for the same.
    pub requirement: Option<String>,
}

pub fn ask(system: &System, program: &Path) -> Result<Signature, String> {
    let path = program.to_string_lossy();
    let ended = system.run("codesign", &["-d", "-r-", "--verbose=2", &path], b"")?;
    // The description goes to stderr, the requirement to stdout.
    let said = format!("{}\n{}", ended.complained, ended.said);
    if said.contains("code object is not signed at all") {
        return Ok(Signature::default());
    }
    if !ended.status.success() {
        return Err(format!("codesign said: {}", ended.complained.trim()));
    }
    Ok(parse(&said))
}

fn parse(said: &str) -> Signature {
    let mut signature = Signature { is_signed: true, ..Signature::default() };
    for line in said.lines() {
        // Before a requirement that the system made up there is a hash sign.
        if let Some(requirement) = line.trim_start_matches("# ").strip_prefix("designated => ") {
            signature.requirement = Some(requirement.to_owned());
        } else if let Some((key, value)) = line.split_once('=') {
            match key {
                "Identifier" => signature.identifier = Some(value.to_owned()),
                "Authority" if signature.authority.is_none() => signature.authority = Some(value.to_owned()),
                "Signature" => signature.is_ad_hoc = value == "adhoc",
                _ => {}
            }
        }
    }
    signature
}

/// Does the program that is there satisfy `requirement`?
pub fn satisfies(system: &System, program: &Path, requirement: &str) -> Result<bool, String> {
    let (requirement, path) = (format!("-R={requirement}"), program.to_string_lossy());
    let ended = system.run("codesign", &["--verify", &requirement, &path], b"")?;
    match ended.status.code() {
        Some(0) => Ok(true),
        // The signature is whole, and the requirement is not met.
        Some(3) => Ok(false),
        _ => Err(format!("codesign said: {}", ended.complained.trim())),
    }
}

pub fn finding(seen: &Seen) -> Finding {
    let program = seen.program();
    let signature = match seen.signature() {
        Ok(signature) => signature,
        Err(because) => return Finding::unknown("signature", because),
    };
    let requirement = signature.requirement.as_deref().unwrap_or_default();
    let shown = format!("{}: designated => {requirement}", program.display());
    let install = "imsgd install (it signs with an identity that stays), then grant Full Disk Access once more";
    if !signature.is_signed {
        return Finding::warning("signature", "The program is not signed: macOS forgets its grants at each new build.")
            .seen(format!("{}: code object is not signed at all", program.display()))
            .next(install);
    }
    if signature.is_ad_hoc || requirement.starts_with("cdhash ") {
        let what = "The program's signature names nobody (ad hoc): macOS forgets its grants at each new build.";
        return Finding::warning("signature", what).seen(shown).next(install);
    }
    let by = signature.authority.as_deref().unwrap_or("an identity");
    Finding::ok("signature", format!("by {by}")).seen(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_signed_and_what_is_required_is_read() {
        let said = "Executable=/a/imsgd\nIdentifier=io.github.imsgd\nFormat=app bundle with Mach-O thin (arm64)\n\
            CodeDirectory v=20400 size=300 flags=0x0(none) hashes=3+3 location=embedded\nSignature size=1700\n\
            Authority=imsgd\nTeamIdentifier=not set\n\n\
            designated => identifier \"io.github.imsgd\" and certificate leaf = H\"00\"\n";
        let expected = Signature {
            is_signed: true,
            is_ad_hoc: false,
            identifier: Some("io.github.imsgd".into()),
            authority: Some("imsgd".into()),
            requirement: Some("identifier \"io.github.imsgd\" and certificate leaf = H\"00\"".into()),
        };
        assert_eq!(parse(said), expected);
        let ad_hoc = parse("Identifier=a-5555\nSignature=adhoc\n# designated => cdhash H\"00\"\n");
        assert!(ad_hoc.is_ad_hoc && ad_hoc.requirement.as_deref() == Some("cdhash H\"00\""), "{ad_hoc:?}");
    }
}
