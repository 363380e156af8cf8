//! What is converted, into what, and with which arguments: forms that models take, of forms that they do not.

use std::ffi::OsString;
use std::path::Path;

use crate::message::Attachment;

/// A form that is converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Apple's container of voice messages, to AAC.
    Caf,
    /// The first picture, to PNG.
    Gif,
    /// To JPEG.
    Heic,
}

/// What converts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Ffmpeg,
    /// Part of macOS.
    Sips,
}

/// By what a form is known: type identifiers, endings of file names, media types.
struct Signs {
    utis: &'static [&'static str],
    endings: &'static [&'static str],
    mime_types: &'static [&'static str],
}

impl Kind {
    /// The first form that the row claims to be, in any case.
    pub fn of(attachment: &Attachment) -> Option<Kind> {
        let is = |text: &str, known: &[&str]| known.iter().any(|known| text.eq_ignore_ascii_case(known));
        let ends = |name: &str, known: &[&str]| {
            let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
            ending.is_some_and(|ending| is(ending, known))
        };
        [Kind::Caf, Kind::Gif, Kind::Heic].into_iter().find(|kind| {
            let signs = kind.signs();
            is(&attachment.uti, signs.utis)
                || ends(&attachment.filename, signs.endings)
                || ends(&attachment.transfer_name, signs.endings)
                || is(&attachment.mime_type, signs.mime_types)
        })
    }

    fn signs(self) -> Signs {
        match self {
            Kind::Caf => {
                Signs { utis: &["com.apple.coreaudio-format"], endings: &["caf"], mime_types: &["audio/x-caf"] }
            }
            Kind::Gif => Signs { utis: &["com.compuserve.gif"], endings: &["gif"], mime_types: &["image/gif"] },
            Kind::Heic => Signs {
                utis: &["public.heic", "public.heif"],
                endings: &["heic", "heif"],
                mime_types: &["image/heic", "image/heif"],
            },
        }
    }

    /// The ending of files of this form, without a dot.
    pub fn ending(self) -> &'static str {
        self.signs().endings.first().copied().unwrap_or_default()
    }

    /// Ending, media type and type identifier of what comes out.
    pub fn converted(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Kind::Caf => ("m4a", "audio/mp4", "com.apple.m4a-audio"),
            Kind::Gif => ("png", "image/png", "public.png"),
            Kind::Heic => ("jpg", "image/jpeg", "public.jpeg"),
        }
    }

    /// Whether a file that begins so is what its row claims. ffmpeg goes by the content: what is a playlist in truth
    /// would make it open other files and addresses.
    pub fn is_content(self, head: &[u8]) -> bool {
        match self {
            Kind::Caf => head.starts_with(b"caff"),
            Kind::Gif => head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a"),
            Kind::Heic => {
                let brand = head.get(8..12).unwrap_or_default();
                head.get(4..8) == Some(b"ftyp") && HEIF_BRANDS.iter().any(|known| brand == known.as_bytes())
            }
        }
    }

    /// What converts this form, the better first.
    pub fn programs(self) -> &'static [Program] {
        match self {
            Kind::Caf => &[Program::Ffmpeg],
            Kind::Gif => &[Program::Ffmpeg, Program::Sips],
            Kind::Heic => &[Program::Sips, Program::Ffmpeg],
        }
    }

    /// The arguments with which `program` converts a file that begins with `head`; none where it would do it wrongly.
    pub fn arguments(self, program: Program, head: &[u8], from: &Path, to: &Path) -> Option<Vec<OsString>> {
        let format: &[&str] = match (program, self) {
            (Program::Ffmpeg, Kind::Caf) => &["-c:a", "aac", "-b:a", "128k"],
            (Program::Ffmpeg, Kind::Gif) => &["-vframes", "1"],
            // Photos of iPhones are made of tiles. ffmpeg, as of 7.1, takes the first for the whole and succeeds.
            (Program::Ffmpeg, Kind::Heic) if !is_one_picture(head) => return None,
            (Program::Ffmpeg, Kind::Heic) => &["-vframes", "1", "-q:v", "2"],
            (Program::Sips, Kind::Gif) => &["-s", "format", "png"],
            (Program::Sips, Kind::Heic) => &["-s", "format", "jpeg"],
            (Program::Sips, Kind::Caf) => return None,
        };
        let format = format.iter().map(OsString::from);
        let (from, to) = (from.into(), to.into());
        Some(match program {
            Program::Ffmpeg => {
                let begin = ["-nostdin", "-y", "-i"].map(OsString::from);
                begin.into_iter().chain([from]).chain(format).chain([to]).collect()
            }
            Program::Sips => format.chain([from, "--out".into(), to]).collect(),
        })
    }
}

/// Brands of files that hold pictures in HEVC, or say only that they hold pictures.
const HEIF_BRANDS: [&str; 8] = ["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"];

/// Whether the file says, in what begins it, of what it consists, and nothing of that is an item of the type `grid`,
/// which is put together from others (ISO 23008-12).
fn is_one_picture(head: &[u8]) -> bool {
    let has = |kind: &[u8; 4]| head.windows(4).any(|four| four == kind);
    has(b"infe") && !has(b"grid")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uti: &str, filename: &str, mime_type: &str, expected: Option<Kind>) {
        let attachment = Attachment {
            guid: String::new(),
            filename: filename.into(),
            transfer_name: String::new(),
            uti: uti.into(),
            mime_type: mime_type.into(),
            total_bytes: 0,
            is_sticker: false,
            transfer_state: None,
        };
        assert_eq!(Kind::of(&attachment), expected, "{uti} {filename} {mime_type}");
        let by_name = Attachment { transfer_name: filename.into(), filename: "/a/b".into(), ..attachment };
        assert_eq!(Kind::of(&by_name), expected, "{uti} {filename} {mime_type}");
    }

    #[test]
    fn a_form_is_known_by_any_of_its_signs() {
        check("com.apple.coreaudio-format", "", "", Some(Kind::Caf));
        check("", "~/Audio Message.CAF", "", Some(Kind::Caf));
        check("", "", "Audio/X-CAF", Some(Kind::Caf));
        check("com.compuserve.gif", "", "", Some(Kind::Gif));
        check("", "/x/wave.gif", "", Some(Kind::Gif));
        check("", "", "image/gif", Some(Kind::Gif));
        check("public.heic", "", "", Some(Kind::Heic));
        check("", "IMG_1.HEIC", "", Some(Kind::Heic));
        check("", "", "image/heif", Some(Kind::Heic));
        check("com.compuserve.gif", "x.caf", "", Some(Kind::Caf));
        check("public.plain-text", "gif.txt", "text/plain", None);
        check("", "", "", None);
        check("public.jpeg", "/x.gif/photo.jpg", "image/jpeg", None);
    }

    fn said(kind: Kind, program: Program, head: &[u8]) -> Option<String> {
        let arguments = kind.arguments(program, head, Path::new("/in"), Path::new("/out"))?;
        Some(arguments.iter().map(|argument| argument.to_str().unwrap()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn each_program_gets_its_arguments() {
        let ffmpeg = |kind| said(kind, Program::Ffmpeg, b"..infe..hvc1");
        assert_eq!(ffmpeg(Kind::Caf).unwrap(), "-nostdin -y -i /in -c:a aac -b:a 128k /out");
        assert_eq!(ffmpeg(Kind::Gif).unwrap(), "-nostdin -y -i /in -vframes 1 /out");
        assert_eq!(ffmpeg(Kind::Heic).unwrap(), "-nostdin -y -i /in -vframes 1 -q:v 2 /out");
        assert_eq!(said(Kind::Heic, Program::Sips, b"").unwrap(), "-s format jpeg /in --out /out");
        assert_eq!(said(Kind::Gif, Program::Sips, b"").unwrap(), "-s format png /in --out /out");
    }

    #[test]
    fn ffmpeg_gets_no_photo_that_is_made_of_tiles() {
        let tiled = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic...infe\x02\0\0\0\0\x31\0\0grid";
        assert!(Kind::Heic.is_content(tiled));
        assert_eq!(said(Kind::Heic, Program::Ffmpeg, tiled), None);
        assert_eq!(said(Kind::Heic, Program::Ffmpeg, b"\0\0\0\x18ftypheic"), None, "it may be tiled");
        assert!(said(Kind::Heic, Program::Sips, tiled).is_some());
    }

    #[test]
    fn what_is_not_what_it_claims_is_no_content() {
        assert!(Kind::Caf.is_content(b"caff\0\x01"));
        assert!(Kind::Gif.is_content(b"GIF89a...") && Kind::Gif.is_content(b"GIF87a..."));
        for playlist in [&b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0"[..], b"ffconcat version 1.0\nfile '/etc/passwd'", b""] {
            assert!([Kind::Caf, Kind::Gif, Kind::Heic].iter().all(|kind| !kind.is_content(playlist)));
        }
        assert!(!Kind::Heic.is_content(b"\0\0\0\x18ftypisom") && !Kind::Heic.is_content(b"\0\0\0\x18ftyp"));
    }
}
