//! Rows that nobody wrote: what happens in a group, and shared locations.

use anyhow::Result;
use rusqlite::Connection;

use super::receive::Incoming;
use super::rows;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Event {
    Added,
    Removed,
    Left,
    /// The text is the new name
    Renamed,
    Photo,
    PhotoRemoved,
    Background,
    BackgroundRemoved,
    Location,
    LocationStopped,
    AudioKept,
}

/// Makes `message` an event, if that is what `incoming` asks for.
pub fn happen(connection: &Connection, message: &mut rows::Message, incoming: &Incoming) -> Result<()> {
    let Some(event) = incoming.event else { return Ok(()) };
    (message.item_type, message.group_action_type, message.share_status) = match event {
        Event::Added => (1, 0, 0),
        Event::Removed => (1, 1, 0),
        Event::Renamed => (2, 0, 0),
        Event::Left => (3, 0, 0),
        Event::Photo => (3, 1, 0),
        Event::PhotoRemoved => (3, 2, 0),
        Event::Background => (3, 4, 0),
        Event::BackgroundRemoved => (3, 6, 0),
        Event::Location => (4, 0, 0),
        Event::LocationStopped => (4, 0, 1),
        Event::AudioKept => (5, 0, 0),
    };
    if let Some(other) = &incoming.other {
        message.other_handle = rows::handle(connection, other, incoming.service)?;
    }
    message.group_title = (event == Event::Renamed).then(|| incoming.text.clone());
    message.content = rows::Content::default();
    Ok(())
}
