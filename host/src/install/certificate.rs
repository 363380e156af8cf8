//! The certificate that imsgd is signed with where the owner has none: made once, by the openssl of the system, and
//! handed to the login keychain. Every later version is signed with the same, and keeps its permissions by that.
//!
//! The private key is in a file for a moment only: in a folder that only its owner may enter, and encrypted with a
//! password that is known to nobody, is on no command line, and is forgotten. In the keychain it cannot be taken out.
//! macOS asks its owner before a program signs with it: no other program is to sign in our name unseen.

use std::path::{Path, PathBuf};

use super::names::CERTIFICATE;

pub const OPENSSL: &str = "/usr/bin/openssl";
pub const SECURITY: &str = "/usr/bin/security";
pub const CODESIGN: &str = "/usr/bin/codesign";

/// A command line, and what it is told on stdin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub argv: Vec<String>,
    pub stdin: String,
}

const DAYS: &str = "3650";

/// For `openssl req`. No organization: of a certificate with one, codesign's requirement names the root, not the leaf.
pub fn request() -> String {
    format!(
        "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = signing\n\n\
         [name]\nCN = {CERTIFICATE}\n\n\
         [signing]\nbasicConstraints = critical, CA:false\nkeyUsage = critical, digitalSignature\n\
         extendedKeyUsage = critical, codeSigning\nsubjectKeyIdentifier = hash\n"
    )
}

pub fn request_file(folder: &Path) -> PathBuf {
    folder.join("request.cnf")
}

pub fn archive_file(folder: &Path) -> PathBuf {
    folder.join("identity.p12")
}

pub fn certificate_file(folder: &Path) -> PathBuf {
    folder.join("certificate.pem")
}

/// The command lines that make the certificate in a private folder, in order. The request is there already.
pub fn make(folder: &Path, password: &str) -> [Told; 2] {
    let key = text(&folder.join("key.pem"));
    let (request, certificate, archive) =
        (text(&request_file(folder)), text(&certificate_file(folder)), text(&archive_file(folder)));
    let certify = words(&[
        OPENSSL,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-sha256",
        "-days",
        DAYS,
        "-config",
        &request,
        "-passout",
        "stdin",
        "-keyout",
        &key,
        "-out",
        &certificate,
    ]);
    // What the keychain reads; a newer openssl would use others by itself.
    let pack = words(&[
        OPENSSL,
        "pkcs12",
        "-export",
        "-name",
        CERTIFICATE,
        "-inkey",
        &key,
        "-in",
        &certificate,
        "-passin",
        "stdin",
        "-passout",
        "stdin",
        "-keypbe",
        "PBE-SHA1-3DES",
        "-certpbe",
        "PBE-SHA1-3DES",
        "-macalg",
        "sha1",
        "-out",
        &archive,
    ]);
    [
        Told { argv: certify, stdin: format!("{password}\n") },
        Told { argv: pack, stdin: format!("{password}\n{password}\n") },
    ]
}

/// Hands it to the login keychain. The words are told on stdin, as the password is among them; `-x` keeps the key there.
pub fn import(folder: &Path, password: &str) -> Told {
    let archive = quoted(&text(&archive_file(folder)));
    let stdin = format!("import {archive} -f pkcs12 -P {} -x -T {CODESIGN}\n", quoted(password));
    Told { argv: words(&[SECURITY, "-i"]), stdin }
}

/// Lists the identities that code can be signed with; one that nobody was asked to trust is among the first list.
pub fn list() -> Vec<String> {
    words(&[SECURITY, "find-identity", "-p", "codesigning"])
}

/// Is this identity in what [`list`] prints?
pub fn lists(listed: &str, name: &str) -> bool {
    listed.lines().any(|line| line.contains(&format!("\"{name}\"")) && !line.contains("CSSMERR_TP_CERT_EXPIRED"))
}

/// Trusts it for code, for this user: where codesign signs with no other. macOS asks for the password.
pub fn trust(certificate: &Path) -> [Vec<String>; 2] {
    [
        words(&[SECURITY, "find-certificate", "-c", CERTIFICATE, "-p"]),
        words(&[SECURITY, "add-trusted-cert", "-r", "trustRoot", "-p", "codeSign", &text(certificate)]),
    ]
}

pub fn forget() -> Vec<String> {
    words(&[SECURITY, "delete-identity", "-t", "-c", CERTIFICATE])
}

pub fn text(path: &Path) -> String {
    path.display().to_string()
}

pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// As `security -i` reads one word.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As macOS prints it.
    const LISTED: &str = "\nPolicy: Code Signing\n  Matching identities\n  \
        1) 4E587951B705280CBB8086325CD134D4CDA04977 \"imsgd code signing\" (CSSMERR_TP_NOT_TRUSTED)\n     \
        1 identities found\n\n  Valid identities only\n     0 valid identities found\n";

    #[test]
    fn an_identity_is_found_though_nobody_trusts_it_but_not_once_it_expired() {
        assert!(lists(LISTED, CERTIFICATE));
        assert!(!lists(LISTED, "Developer ID Application: Ann (ABC)"));
        assert!(!lists(&LISTED.replace("NOT_TRUSTED", "CERT_EXPIRED"), CERTIFICATE));
        assert!(!lists("     0 identities found\n", CERTIFICATE));
    }

    #[test]
    fn no_command_line_has_the_password() {
        let folder = Path::new("/h/a \"b\"");
        let told = import(folder, "secret");
        assert!(told.stdin.starts_with("import \"/h/a \\\"b\\\"/identity.p12\" "), "{}", told.stdin);
        let [certify, pack] = make(folder, "secret");
        for told in [certify, pack, told] {
            assert!(told.stdin.contains("secret") && !told.argv.iter().any(|word| word.contains("secret")));
        }
    }
}
