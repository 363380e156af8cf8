//! Which files are opened, and what takes their place meanwhile.

use std::io::Read;
use std::os::unix::fs::symlink;

use super::*;

/// `Attachments/a/in.txt` in a root, `out.txt` beside the root.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        let files = Files(tempfile::tempdir().unwrap());
        fs::create_dir_all(files.path("Attachments/a")).unwrap();
        fs::write(files.path("Attachments/a/in.txt"), "inside").unwrap();
        fs::write(files.path("out.txt"), "outside").unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn roots(&self) -> Roots {
        Roots::folders([self.path("Attachments")])
    }

    fn patterns(&self, patterns: &[&str]) -> Roots {
        let patterns: Vec<String> = patterns.iter().map(|pattern| self.path(pattern).display().to_string()).collect();
        Roots::new(&patterns).unwrap()
    }
}

/// What the file says, or what was wrong with it.
fn read(roots: &Roots, path: &Path) -> String {
    said(roots.open(path))
}

fn said(opened: Result<Opened, Refusal>) -> String {
    match opened {
        Ok(mut opened) => {
            let mut text = String::new();
            opened.file.read_to_string(&mut text).unwrap();
            assert_eq!(opened.bytes, text.len() as u64);
            text
        }
        Err(Refusal::Unreadable(error)) => error.to_string(),
        Err(refusal) => format!("{refusal:?}"),
    }
}

#[test]
fn a_file_in_a_root_is_opened_and_no_other() {
    let files = Files::new();
    let roots = files.roots();
    for (name, expected) in [
        ("Attachments/a/in.txt", "inside"),
        ("Attachments/./a//in.txt", "inside"),
        ("Attachments/../Attachments/a/in.txt", "inside"),
        ("out.txt", "Outside"),
        ("Attachments/../out.txt", "Outside"),
        ("Attachments/a/../../out.txt", "Outside"),
        ("Attachments/none", "Missing"),
        ("Attachments/a/in.txt/x", "Missing"),
        ("Attachments/a\0/in.txt", "Missing"),
        ("Attachments/a", "NoFile"),
        ("Attachments", "Outside"),
    ] {
        let expected = if name == "Attachments" { "NoFile" } else { expected };
        assert_eq!(read(&roots, &files.path(name)), expected, "{name:?}");
    }
    for path in ["", "in.txt", "Attachments/a/in.txt", "~/x"] {
        assert_eq!(read(&roots, Path::new(path)), "Missing", "{path:?}");
    }
}

#[test]
fn a_link_out_of_the_root_is_outside_and_one_inside_is_not() {
    let files = Files::new();
    symlink(files.path("out.txt"), files.path("Attachments/out")).unwrap();
    symlink(files.path(""), files.path("Attachments/up")).unwrap();
    symlink(files.path("Attachments/a/in.txt"), files.path("Attachments/in")).unwrap();
    symlink(files.path("Attachments"), files.path("alias")).unwrap();
    let roots = files.roots();
    assert_eq!(read(&roots, &files.path("Attachments/out")), "Outside");
    assert_eq!(read(&roots, &files.path("Attachments/up/out.txt")), "Outside");
    assert_eq!(read(&roots, &files.path("Attachments/in")), "inside");
    assert_eq!(read(&roots, &files.path("alias/a/in.txt")), "inside");
    let through_the_link = Roots::folders([files.path("alias")]);
    assert_eq!(read(&through_the_link, &files.path("Attachments/a/in.txt")), "inside");
}

#[test]
fn what_takes_the_place_of_a_file_before_it_is_opened_is_not_followed() {
    let files = Files::new();
    fs::create_dir(files.path("elsewhere")).unwrap();
    fs::write(files.path("elsewhere/in.txt"), "outside").unwrap();
    let place = files.roots().find(&files.path("Attachments/a/in.txt")).unwrap();
    let kept = files.path("Attachments/kept");
    fs::rename(files.path("Attachments/a"), &kept).unwrap();
    symlink(files.path("elsewhere"), files.path("Attachments/a")).unwrap();
    assert_eq!(said(place.open()), "Outside", "the folder became a link");
    fs::remove_file(files.path("Attachments/a")).unwrap();
    fs::rename(&kept, files.path("Attachments/a")).unwrap();
    fs::remove_file(files.path("Attachments/a/in.txt")).unwrap();
    symlink(files.path("out.txt"), files.path("Attachments/a/in.txt")).unwrap();
    assert_eq!(said(place.open()), "Outside", "the file became a link");
    fs::remove_file(files.path("Attachments/a/in.txt")).unwrap();
    assert_eq!(said(place.open()), "Missing");
    let made = std::process::Command::new("mkfifo").arg(files.path("Attachments/a/in.txt")).status();
    assert!(made.unwrap().success());
    assert_eq!(said(place.open()), "NoFile", "a pipe would never end");
}

#[test]
fn a_pattern_names_folders_and_everything_below_them() {
    let files = Files::new();
    for (patterns, expected) in [
        (&["Attachments"][..], "inside"),
        (&["Att*"], "inside"),
        (&["Att*/a"], "inside"),
        (&["**/a"], "inside"),
        (&["**/*.txt"], "inside"),
        (&["*/?/in.txt"], "inside"),
        (&["{Pictures,Attachments}/[a-c]"], "inside"),
        (&["none", "Attachments/a/in.txt"], "inside"),
        (&["Att*/b"], "Outside"),
        (&["Attach"], "Outside"),
        (&["*.txt"], "Outside"),
        (&["a"], "Outside"),
        (&[], "Outside"),
    ] {
        assert_eq!(read(&files.patterns(patterns), &files.path("Attachments/a/in.txt")), expected, "{patterns:?}");
    }
    symlink(files.path("out.txt"), files.path("Attachments/a/link.txt")).unwrap();
    assert_eq!(read(&files.patterns(&["Att*"]), &files.path("Attachments/a/link.txt")), "Outside");
}

#[test]
fn signs_in_the_name_of_a_given_folder_are_no_pattern() {
    let files = Files::new();
    fs::rename(files.path("Attachments"), files.path("A[t]*")).unwrap();
    let roots = Roots::folders([files.path("A[t]*")]);
    assert_eq!(read(&roots, &files.path("A[t]*/a/in.txt")), "inside");
}

#[test]
fn a_pattern_that_says_too_little_is_refused() {
    for (pattern, said) in
        [("Pictures", "absolute"), ("", "absolute"), ("~ann/x", "absolute"), ("/x/../y", ".."), ("/x/[a", "unclosed")]
    {
        let error = Roots::new(&[pattern.to_owned()]).unwrap_err();
        assert!(error.contains(said), "{pattern}: {error}");
    }
}
