//! Which app drew a balloon, by the bundle id in `balloon_bundle_id`.

/// An app whose balloon stands where a message has no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct App<'a> {
    /// As people call it.
    pub name: &'a str,
    /// Of the app's own extension, without what is in front of it in the column.
    pub bundle_id: &'a str,
}

/// Apple's own, and third parties whose bundle id does not tell the name.
const NAMES: &[(&str, &str)] = &[
    ("com.apple.messages.URLBalloonProvider", "Link"),
    ("com.apple.messages.Polls", "Polls"),
    ("com.apple.Handwriting.HandwritingProvider", "Handwriting"),
    ("com.apple.DigitalTouchBalloonProvider", "Digital Touch"),
    ("com.apple.PassbookUIService.PeerPaymentMessagesExtension", "Apple Pay"),
    ("com.apple.ActivityMessagesApp.MessagesExtension", "Fitness"),
    ("com.apple.mobileslideshow.PhotosMessagesApp", "Photos"),
    ("com.apple.SafetyMonitorApp.SafetyMonitorMessages", "Check In"),
    ("com.apple.findmy.FindMyMessagesApp", "Find My"),
    ("com.apple.Stickers.UserGenerated.MessagesExtension", "Stickers"),
    ("com.apple.icloud.apps.messages.business.extension", "Messages for Business"),
    ("com.apple.PeopleMessageService.AskToBuy", "Ask to Buy"),
    ("com.apple.AskToMessagesHost.AskToMessagesExtension", "Ask to Buy"),
    ("com.gamerdelights.gamepigeon.ext", "GamePigeon"),
    ("com.google.Maps.MessagesExtension", "Google Maps"),
    ("com.google.ios.youtube.MessagesExtension", "YouTube"),
    ("com.spotify.client.imessage", "Spotify"),
];

/// Parts of bundle ids that say what an extension is, and not whose.
const GENERIC: &[&str] =
    &["messages", "messagesextension", "messageextension", "imessage", "imessageextension", "extension", "ext", "app"];

/// The app of a balloon. The column has the bundle id, or `plugin:team:id` for what apps bring along.
pub fn app(balloon_bundle_id: &str) -> App<'_> {
    let bundle_id = balloon_bundle_id.rsplit(':').next().unwrap_or_default();
    let known = NAMES.iter().find(|(id, _)| *id == bundle_id).map(|(_, name)| *name);
    App { name: known.unwrap_or_else(|| guess(bundle_id)), bundle_id }
}

/// The last part of the id that is a name.
fn guess(bundle_id: &str) -> &str {
    let is_name = |part: &&str| !part.is_empty() && !GENERIC.iter().any(|generic| part.eq_ignore_ascii_case(generic));
    bundle_id.rsplit('.').find(is_name).unwrap_or(bundle_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(balloon: &str, name: &str, bundle_id: &str) {
        assert_eq!(app(balloon), App { name, bundle_id });
    }

    #[test]
    fn apps_that_are_part_of_messages_have_their_names() {
        for (bundle_id, name) in NAMES {
            check(bundle_id, name, bundle_id);
        }
    }

    #[test]
    fn the_plugin_and_the_team_are_not_the_app() {
        let plugin = "com.apple.messages.MSMessageExtensionBalloonPlugin";
        check(&format!("{plugin}:0000000000:com.apple.messages.Polls"), "Polls", "com.apple.messages.Polls");
        check(&format!("{plugin}:com.apple.findmy.FindMyMessagesApp"), "Find My", "com.apple.findmy.FindMyMessagesApp");
        check(
            &format!("{plugin}:QPU8QS3E62:com.contextoptional.OpenTable.Messages"),
            "OpenTable",
            "com.contextoptional.OpenTable.Messages",
        );
        check(
            &format!("{plugin}:ABC:com.shazam.Shazam.iMessageExtension"),
            "Shazam",
            "com.shazam.Shazam.iMessageExtension",
        );
    }

    #[test]
    fn odd_ids_are_their_own_names() {
        check("", "", "");
        check("messages", "messages", "messages");
        check("a:b:", "", "");
        check("...", "...", "...");
    }
}
