//! Follows the plan of `imsgd install` on Linux: makes the certificate with its very command lines, signs the app with
//! what it says to `codesign`, and verifies what came out. `IMSGD` names the program; `IMSGD_MACHO` may name one for
//! macOS that is signed instead of a small one made here.

use std::borrow::Cow;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use apple_codesign::code_requirement::CodeRequirementExpression;
use apple_codesign::cryptography::{DigestType, parse_pfx_data};
use apple_codesign::macho_builder::MachOBuilder;
use apple_codesign::{
    CodeSignatureFlags, CodeSigningSlot, MachFile, MachoTarget, Platform, SettingsScope, SigningSettings,
    UnifiedSigner, VerificationProblem, verify_macho_data,
};
use serde_json::Value;
use tempfile::TempDir;

const PASSWORD: &str = "4f9c1d6a77";
const EXECUTABLE: u32 = 2;

/// A home in which the plan is followed.
struct Mac {
    folder: TempDir,
    plan: Value,
}

impl Mac {
    fn new() -> Mac {
        let program = std::env::var_os("IMSGD").expect("IMSGD names the program, as `make signing` does");
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.args(["install", "--dry-run", "--json", "--to"]).arg(folder.path()).env("HOME", folder.path());
        let told = command.output().expect("imsgd runs");
        assert!(told.status.success(), "{told:?}");
        Mac { plan: serde_json::from_slice(&told.stdout).unwrap(), folder }
    }

    fn steps(&self, name: &str) -> Vec<&Value> {
        self.plan["steps"].as_array().unwrap().iter().filter(|step| step["step"] == name).collect()
    }

    /// Runs what makes the certificate, and gives what the keychain would be handed.
    fn identity(&self) -> Vec<u8> {
        let [step] = self.steps("certificate")[..] else { panic!("{:#}", self.plan) };
        let private = self.folder.path().join("private");
        fs::create_dir(&private).unwrap();
        fs::write(private.join("request.cnf"), step["request"].as_str().unwrap()).unwrap();
        let meant = |text: &Value| {
            let text = text.as_str().unwrap_or_default().replace("{private folder}", private.to_str().unwrap());
            text.replace("{random password}", PASSWORD)
        };
        for command in step["commands"].as_array().unwrap() {
            let argv: Vec<String> = command["argv"].as_array().unwrap().iter().map(meant).collect();
            if argv[0].ends_with("openssl") {
                run(&argv, &meant(&command["stdin"]));
            }
        }
        let key = fs::read_to_string(private.join("key.pem")).unwrap();
        assert!(key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{key}");
        let certificate = private.join("certificate.pem").to_str().unwrap().to_owned();
        let said = run(&["openssl", "x509", "-noout", "-text", "-in", &certificate].map(str::to_owned), "");
        for part in ["Code Signing", "CA:FALSE", "CN = imsgd code signing", "Digital Signature"] {
            assert!(said.replace("CN=", "CN = ").contains(part), "{part} in {said}");
        }
        fs::read(private.join("identity.p12")).unwrap()
    }

    /// Makes the app around this program, as far as the signature.
    fn app(&self, program: &[u8], identity: &[u8]) -> PathBuf {
        for step in self.plan["steps"].as_array().unwrap() {
            let path = || PathBuf::from(step["path"].as_str().unwrap());
            match step["step"].as_str().unwrap() {
                "folder" => fs::create_dir_all(path()).unwrap(),
                "write" => {
                    fs::create_dir_all(path().parent().unwrap()).unwrap();
                    fs::write(path(), step["text"].as_str().unwrap()).unwrap();
                }
                "copy" => fs::write(path(), program).unwrap(),
                "sign" => return sign(step, identity),
                _ => {}
            }
        }
        panic!("nothing is signed: {:#}", self.plan);
    }
}

fn run(argv: &[String], stdin: &str) -> String {
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{argv:?}: {ended:?}");
    String::from_utf8(ended.stdout).unwrap()
}

/// As `codesign` does with these words. Where none is named, it makes the designated requirement of a certificate that
/// Apple did not issue from the identifier and the certificate alone.
fn sign(step: &Value, identity: &[u8]) -> PathBuf {
    let argv: Vec<&str> =
        step["commands"][0]["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let after = |option: &str| argv[argv.iter().position(|word| *word == option).unwrap() + 1];
    assert_eq!(after("--options"), "runtime");
    let (certificate, key) = parse_pfx_data(identity, PASSWORD).unwrap();
    let hash = certificate.sha1_fingerprint().unwrap();
    let mut settings = SigningSettings::default();
    settings.set_signing_key(&key, certificate);
    settings.set_binary_identifier(SettingsScope::Main, after("--identifier"));
    settings.set_code_signature_flags(SettingsScope::Main, CodeSignatureFlags::RUNTIME);
    settings.set_entitlements_xml(SettingsScope::Main, fs::read_to_string(after("--entitlements")).unwrap()).unwrap();
    let requirement = CodeRequirementExpression::And(
        Box::new(CodeRequirementExpression::Identifier(Cow::Borrowed(after("--identifier")))),
        Box::new(CodeRequirementExpression::AnchorCertificateHash(0, Cow::Borrowed(hash.as_ref()))),
    );
    settings.set_designated_requirement_expression(SettingsScope::Main, &requirement).unwrap();
    let app = PathBuf::from(argv.last().unwrap());
    UnifiedSigner::new(settings).sign_path_in_place(&app).unwrap();
    app
}

/// A program for macOS that does nothing, for this version of it.
fn small_program(major: u64) -> Vec<u8> {
    let version = semver::Version::new(major, 0, 0);
    let target = MachoTarget { platform: Platform::MacOs, minimum_os_version: version.clone(), sdk_version: version };
    MachOBuilder::new_aarch64(EXECUTABLE).macho_target(target).write_macho().unwrap()
}

fn program() -> Vec<u8> {
    std::env::var_os("IMSGD_MACHO").map_or_else(|| small_program(12), |path| fs::read(path).unwrap())
}

fn signed(app: &Path) -> Vec<u8> {
    fs::read(app.join("Contents/MacOS/imsgd")).unwrap()
}

fn problems(program: &[u8]) -> Vec<VerificationProblem> {
    verify_macho_data(program)
}

fn requirement(program: &[u8]) -> String {
    let file = MachFile::parse(program).unwrap();
    let signature = file.nth_macho(0).unwrap().code_signature().unwrap().unwrap();
    let set = signature.code_requirements().unwrap().unwrap();
    let designated = set.requirements.values().next().unwrap().parse_expressions().unwrap();
    designated.to_string()
}

/// Does the signature hold for these files of the app too?
fn seals(app: &Path) -> bool {
    let program = signed(app);
    let file = MachFile::parse(&program).unwrap();
    let signature = file.nth_macho(0).unwrap().code_signature().unwrap().unwrap();
    let directory = signature.code_directory().unwrap().unwrap();
    let is_sealed = |slot, name: &str| {
        let digest = DigestType::Sha256.digest_data(&fs::read(app.join("Contents").join(name)).unwrap()).unwrap();
        directory.slot_digest(slot).unwrap().to_vec() == digest
    };
    is_sealed(CodeSigningSlot::Info, "Info.plist")
        && is_sealed(CodeSigningSlot::ResourceDir, "_CodeSignature/CodeResources")
}

#[test]
fn the_app_that_install_makes_is_signed_and_holds() {
    let mac = Mac::new();
    let app = mac.app(&program(), &mac.identity());
    let program = signed(&app);
    assert!(problems(&program).is_empty(), "{:?}", problems(&program));
    assert!(seals(&app));
    let file = MachFile::parse(&program).unwrap();
    let signature = file.nth_macho(0).unwrap().code_signature().unwrap().unwrap();
    let directory = signature.code_directory().unwrap().unwrap();
    assert_eq!(directory.ident, "io.github.imsgd");
    assert!(directory.flags.contains(CodeSignatureFlags::RUNTIME));
    assert!(!directory.flags.contains(CodeSignatureFlags::ADHOC));
    let allowed = signature.entitlements().unwrap().unwrap();
    let allowed: plist::Dictionary = plist::from_bytes(allowed.as_str().as_bytes()).unwrap();
    let keys: Vec<&str> = allowed.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "com.apple.security.automation.apple-events",
            "com.apple.security.cs.allow-jit",
            "com.apple.security.cs.allow-unsigned-executable-memory",
        ]
    );
    assert!(signature.signed_data().unwrap().unwrap().signers().count() == 1);
}

#[test]
fn another_version_that_is_signed_with_the_same_certificate_is_the_same_to_macos() {
    let mac = Mac::new();
    let identity = mac.identity();
    let first = signed(&mac.app(&small_program(12), &identity));
    let second = signed(&mac.app(&small_program(13), &identity));
    assert_ne!(first, second);
    assert_eq!(requirement(&first), requirement(&second));
    assert!(requirement(&first).contains("identifier \"io.github.imsgd\""), "{}", requirement(&first));
    // Another certificate is another program.
    let other = Mac::new();
    let third = signed(&other.app(&small_program(12), &other.identity()));
    assert_ne!(requirement(&first), requirement(&third));
}

#[test]
fn a_changed_byte_breaks_the_signature() {
    let mac = Mac::new();
    let app = mac.app(&small_program(12), &mac.identity());
    let mut program = signed(&app);
    // In the last page of what is signed, before the signature itself.
    let end = {
        let file = MachFile::parse(&program).unwrap();
        file.nth_macho(0).unwrap().code_limit_binary_offset().unwrap()
    };
    program[usize::try_from(end).unwrap() - 1] ^= 1;
    assert!(!problems(&program).is_empty());
    let info = app.join("Contents/Info.plist");
    let text = fs::read_to_string(&info).unwrap();
    fs::write(&info, text.replace("LSUIElement", "LSUIelement")).unwrap();
    assert!(!seals(&app));
}

#[test]
fn a_wrong_password_opens_nothing() {
    let identity = Mac::new().identity();
    assert!(parse_pfx_data(&identity, "another").is_err());
}
