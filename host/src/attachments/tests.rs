//! Converting, with real child processes in the place of ffmpeg.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};

use super::*;
use crate::message::TransferState;

const GIF: &[u8] = b"GIF89a and so on";

/// A folder with `Attachments`, and a program `ffmpeg` that is a shell script.
struct Place {
    folder: tempfile::TempDir,
    limit: Limit,
}

impl Place {
    /// `script` has the file to read in `$in`, the one to write in `$out`, and this folder in `$here`.
    fn new(script: &str) -> Place {
        let limit = Limit { time: Duration::from_secs(60), grace: Some(Duration::from_millis(100)) };
        let place = Place { folder: tempfile::tempdir().unwrap(), limit };
        fs::create_dir(place.path("Attachments")).unwrap();
        place.program(script);
        place
    }

    fn program(&self, script: &str) {
        let here = self.folder.path().display();
        let begin = "echo \"$*\" >>\"$here/calls\"; in=$4; for out; do :; done";
        let script = format!("#!/bin/sh\nhere='{here}'\n{begin}\n{script}\n");
        // Written by another process: a file that a thread of ours has open for writing cannot be started.
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "cat >\"$0.new\" && chmod +x \"$0.new\" && mv \"$0.new\" \"$0\""])
            .arg(self.path("ffmpeg"))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn files(&self) -> Files {
        let mut config = Config::default();
        config.messages.db = self.path("chat.db");
        config.messages.ffmpeg = self.path("ffmpeg");
        config.messages.media_max_mb = 1;
        Files::with(Arc::new(ArcSwap::from_pointee(config)), self.path("converted"), self.limit)
    }

    fn write(&self, name: &str, content: &[u8]) -> Attachment {
        let path = self.path("Attachments").join(name);
        fs::write(&path, content).unwrap();
        named(&path)
    }

    /// How often the program was started, and with what.
    fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.path("calls")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// What is in the folder of converted files, hidden or not.
    fn kept(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("converted")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    async fn eventually<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let began = std::time::Instant::now();
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{what}; kept: {:?}", self.kept());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The numbers that the program wrote to this file.
    async fn pids(&self, name: &str, count: usize) -> Vec<Pid> {
        let read = || fs::read_to_string(self.path(name)).ok().filter(|text| text.lines().count() == count);
        let text = self.eventually("the program runs", read).await;
        text.lines().map(|line| Pid::from_raw(line.parse().unwrap()).unwrap()).collect()
    }

    async fn gone(&self, pids: Vec<Pid>) {
        self.eventually("no process is left", || pids.iter().all(|pid| test_kill_process(*pid).is_err()).then_some(()))
            .await;
    }
}

fn named(path: &Path) -> Attachment {
    Attachment {
        guid: "at_0_M".to_owned(),
        filename: path.display().to_string(),
        transfer_name: path.file_name().unwrap().to_string_lossy().into_owned(),
        uti: String::new(),
        mime_type: String::new(),
        total_bytes: 0,
        is_sticker: false,
        transfer_state: Some(TransferState::Finished),
    }
}

const COPY: &str = "cp \"$in\" \"$out\"";

/// Leaves two processes behind that do not end by themselves.
const HANG: &str = "sleep 600 & echo $! >>\"$here/pids\"; echo $$ >>\"$here/pids\"; echo half >\"$out\"; wait";

#[tokio::test]
async fn a_file_is_converted_once_and_then_needs_no_program() {
    let place = Place::new(COPY);
    let files = place.files();
    let gif = place.write("Wave.GIF", GIF);
    let first = files.converted_one(&gif).await.unwrap();
    assert_eq!((first.mime_type, first.path.parent().unwrap()), ("image/png", place.path("converted").as_path()));
    assert_eq!(fs::read(&first.path).unwrap(), GIF);
    let name = first.path.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("Wave-") && name.ends_with(".png"), "{name}");
    assert_eq!(place.kept(), [name], "the copy and the half-made file are gone");
    let [call] = <[String; 1]>::try_from(place.calls()).unwrap();
    let words: Vec<&str> = call.split(' ').collect();
    assert_eq!((&words[..3], &words[4..6]), (&["-nostdin", "-y", "-i"][..], &["-vframes", "1"][..]));
    assert!(words[6].ends_with(".png") && words.len() == 7, "{call}");
    fs::remove_file(place.path("ffmpeg")).unwrap();
    assert_eq!(files.converted_one(&gif).await.unwrap(), first);
    assert_eq!(place.files().converted_one(&gif).await.unwrap(), first);
    assert_eq!(place.calls().len(), 1);
}

#[tokio::test]
async fn a_file_that_changes_is_converted_again() {
    let place = Place::new(COPY);
    let files = place.files();
    let first = files.converted_one(&place.write("a.caf", b"caff one")).await.unwrap();
    let second = files.converted_one(&place.write("a.caf", b"caff three")).await.unwrap();
    assert_ne!(first.path, second.path);
    assert_eq!((second.mime_type, fs::read(&second.path).unwrap()), ("audio/mp4", b"caff three".to_vec()));
    assert!(place.calls()[0].contains(".caf -c:a aac -b:a 128k /"), "{:?}", place.calls());
}

#[tokio::test]
async fn what_may_not_be_read_or_is_not_what_it_claims_is_not_converted() {
    let place = Place::new(COPY);
    let files = place.files();
    let outside = place.path("outside.gif");
    fs::write(&outside, GIF).unwrap();
    std::os::unix::fs::symlink(&outside, place.path("Attachments/link.gif")).unwrap();
    let large = [GIF, &vec![0; 1 << 20]].concat();
    for (attachment, expected) in [
        (place.write("note.txt", b"x"), "NoNeed"),
        (named(&outside), "Refused(Outside)"),
        (named(&place.path("Attachments/link.gif")), "Refused(Outside)"),
        (named(&place.path("Attachments/none.gif")), "Refused(Missing)"),
        (place.write("large.gif", &large), "TooLarge(1048592)"),
        (place.write("list.gif", b"#EXTM3U\nfile:///etc/passwd"), "Failed"),
        (place.write("empty.caf", b""), "Failed"),
    ] {
        let why = files.converted_one(&attachment).await.unwrap_err();
        assert_eq!(format!("{why:?}"), expected, "{}", attachment.filename);
    }
    assert_eq!(place.calls(), [""; 0], "no program was started");
    assert_eq!(place.kept(), [""; 0]);
}

#[tokio::test]
async fn without_a_program_there_is_nothing_but_what_is_kept() {
    let place = Place::new(COPY);
    let files = place.files();
    let caf = place.write("a.caf", b"caff");
    let kept = files.converted_one(&caf).await.unwrap();
    fs::remove_file(place.path("ffmpeg")).unwrap();
    let other = place.write("b.caf", b"caff");
    assert!(matches!(files.converted_one(&other).await, Err(Unconverted::NoProgram)));
    let all = [caf, other, named(Path::new("/none.txt"))];
    assert_eq!(files.converted(&[&all]).await, [vec![Some(kept), None, None]]);
    // It is looked for each time: ffmpeg may be installed meanwhile.
    place.program(COPY);
    assert!(files.converted(&[&all]).await[0][1].is_some());
}

#[tokio::test]
async fn a_program_that_fails_leaves_nothing_and_is_not_asked_again_at_once() {
    for script in ["echo half >\"$out\"; exit 1", "exit 0", ": >\"$out\"", "mkdir \"$out\"", "kill -9 $$"] {
        let place = Place::new(script);
        let files = place.files();
        let gif = place.write("a.gif", GIF);
        for _ in 0..3 {
            let why = files.converted_one(&gif).await.unwrap_err();
            assert!(matches!(why, Unconverted::Failed), "{script}: {why:?}");
        }
        assert_eq!(place.calls().len(), 1, "{script}");
        let left = place.kept().iter().filter(|name| name.starts_with(|c| c != '.')).count();
        assert_eq!(left, 0, "{script}: {:?}", place.kept());
    }
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_ended_with_its_group() {
    let mut place = Place::new(HANG);
    place.limit.time = Duration::from_secs(2);
    let files = place.files();
    let gif = place.write("a.gif", GIF);
    assert_eq!(files.converted(&[std::slice::from_ref(&gif)]).await, [vec![None]]);
    place.gone(place.pids("pids", 2).await).await;
    place.eventually("the half is removed", || place.kept().is_empty().then_some(())).await;
    assert!(matches!(files.converted_one(&gif).await, Err(Unconverted::Failed)));
    assert_eq!(place.calls().len(), 1);
}

#[tokio::test]
async fn half_a_file_is_never_to_be_seen() {
    let place = Place::new(
        "printf half >\"$out\"; : >\"$here/half\"; until [ -e \"$here/go\" ]; do sleep 0.01; done; printf whole >\"$out\"",
    );
    let files = Arc::new(place.files());
    let gif = place.write("a.gif", GIF);
    let asking = tokio::spawn({
        let (files, gif) = (files.clone(), gif.clone());
        async move { files.converted_one(&gif).await }
    });
    place.eventually("half is written", || place.path("half").exists().then_some(())).await;
    assert!(place.kept().iter().all(|name| name.starts_with('.')), "{:?}", place.kept());
    fs::write(place.path("go"), "").unwrap();
    let converted = asking.await.unwrap().unwrap();
    assert_eq!(fs::read(converted.path).unwrap(), b"whole");
}

#[tokio::test]
async fn two_at_a_time_are_converted_and_who_asks_for_the_same_waits_for_the_same() {
    // Each says how many there are while it runs.
    let place = Place::new(
        "mkdir \"$here/running.$$\"; ls -d \"$here\"/running.* | wc -l >>\"$here/count\"
         until [ -e \"$here/go\" ]; do sleep 0.01; done; rmdir \"$here/running.$$\"; cp \"$in\" \"$out\"",
    );
    let files = Arc::new(place.files());
    let gifs: Vec<Attachment> = (0..5).map(|number| place.write(&format!("{number}.gif"), GIF)).collect();
    let twice: Arc<[Attachment]> = gifs.iter().chain(&gifs).cloned().collect();
    let ask = || {
        let (files, twice) = (files.clone(), twice.clone());
        tokio::spawn(async move { files.converted(&[&twice, &twice]).await })
    };
    let asking = [ask(), ask()];
    let count = || fs::read_to_string(place.path("count")).unwrap_or_default();
    place.eventually("two run", || (count().lines().count() == 2).then_some(())).await;
    fs::write(place.path("go"), "").unwrap();
    for asked in asking {
        let all = asked.await.unwrap();
        assert!(all.iter().flatten().all(Option::is_some), "{all:?}");
        assert_eq!((all.len(), all[0].len()), (2, 10));
    }
    assert!(count().lines().all(|line| line.trim().parse::<u32>().unwrap() <= 2), "{}", count());
    assert_eq!(place.calls().len(), 5);
}

#[tokio::test]
async fn what_was_begun_is_finished_for_the_next_who_asks() {
    let place = Place::new("until [ -e \"$here/go\" ]; do sleep 0.01; done; cp \"$in\" \"$out\"");
    let files = Arc::new(place.files());
    let gif = place.write("a.gif", GIF);
    let asking = tokio::spawn({
        let (files, gif) = (files.clone(), gif.clone());
        async move { files.converted_one(&gif).await.map(drop) }
    });
    place.eventually("it runs", || (place.calls().len() == 1).then_some(())).await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    fs::write(place.path("go"), "").unwrap();
    assert!(files.converted_one(&gif).await.is_ok());
    assert_eq!(place.calls().len(), 1);
}

#[tokio::test]
async fn stopping_ends_what_is_under_way_and_who_waits() {
    let place = Place::new(HANG);
    let files = Arc::new(place.files());
    let gifs: Vec<Attachment> = (0..4).map(|number| place.write(&format!("{number}.gif"), GIF)).collect();
    let asking = tokio::spawn({
        let files = files.clone();
        async move { files.converted(&[&gifs]).await }
    });
    let pids = place.pids("pids", 4).await;
    files.stop().await;
    assert_eq!(asking.await.unwrap(), [vec![None; 4]]);
    place.gone(pids).await;
}
