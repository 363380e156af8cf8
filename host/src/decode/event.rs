//! Rows that nobody wrote: who came and went, names and photos of groups, shared locations.

use crate::message::{Event, EventKind};

/// `item_type` of rows that are messages.
pub const MESSAGE: i64 = 0;

/// The columns of a row that say what happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns<'a> {
    pub item_type: i64,
    pub group_action_type: i64,
    pub group_title: Option<&'a str>,
    /// Who did it, as `handle.ROWID`.
    pub handle_id: i64,
    /// To whom it was done.
    pub other_handle: i64,
    /// The address of `other_handle`.
    pub other_address: Option<&'a str>,
    pub share_status: i64,
}

/// None for a message.
pub fn event(columns: &Columns<'_>) -> Option<Event> {
    let is_own_address = columns.handle_id != 0 && columns.handle_id == columns.other_handle;
    let kind = match (columns.item_type, columns.group_action_type) {
        (MESSAGE, _) => return None,
        (1, 0) if is_own_address => EventKind::AddressChanged,
        (1, 0) => EventKind::ParticipantAdded,
        (1, 1) => EventKind::ParticipantRemoved,
        (2, _) => EventKind::Renamed,
        (3, 0) => EventKind::ParticipantLeft,
        (3, 1) => EventKind::PhotoChanged,
        (3, 2) => EventKind::PhotoRemoved,
        (3, 4) => EventKind::BackgroundSet,
        (3, 6) => EventKind::BackgroundRemoved,
        (4, 0) if columns.share_status == 0 => EventKind::LocationShared,
        (4, 0) => EventKind::LocationStopped,
        (5, _) => EventKind::AudioKept,
        (6, _) => EventKind::SharePlay,
        _ => EventKind::Other,
    };
    let name = columns.group_title.filter(|title| kind == EventKind::Renamed && !title.is_empty());
    Some(Event {
        kind,
        name: name.map(str::to_owned),
        handle: columns.other_address.filter(|address| !address.is_empty()).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(item_type: i64, group_action_type: i64) -> &'static str {
        event(&Columns { item_type, group_action_type, other_handle: 5, ..Columns::default() }).unwrap().kind.name()
    }

    #[test]
    fn a_message_is_no_event() {
        assert_eq!(event(&Columns { group_title: Some("x"), ..Columns::default() }), None);
    }

    #[test]
    fn every_kind_has_its_name() {
        let kinds = [
            ((1, 0), "participant_added"),
            ((1, 1), "participant_removed"),
            ((2, 0), "renamed"),
            ((2, 7), "renamed"),
            ((3, 0), "participant_left"),
            ((3, 1), "photo_changed"),
            ((3, 2), "photo_removed"),
            ((3, 4), "background_set"),
            ((3, 6), "background_removed"),
            ((4, 0), "location_shared"),
            ((5, 0), "audio_kept"),
            ((6, 0), "shareplay"),
            ((3, 3), "other"),
            ((99, 0), "other"),
            ((-1, i64::MIN), "other"),
        ];
        for ((item_type, action), name) in kinds {
            assert_eq!(kind(item_type, action), name);
        }
    }

    #[test]
    fn a_location_is_shared_until_it_is_not() {
        let stopped = event(&Columns { item_type: 4, share_status: 1, ..Columns::default() });
        assert_eq!(stopped.unwrap().kind, EventKind::LocationStopped);
    }

    #[test]
    fn whoever_adds_the_own_address_has_changed_it() {
        let changed = event(&Columns { item_type: 1, handle_id: 5, other_handle: 5, ..Columns::default() });
        assert_eq!(changed.unwrap().kind, EventKind::AddressChanged);
        let unknown = event(&Columns { item_type: 1, ..Columns::default() });
        assert_eq!(unknown.unwrap().kind, EventKind::ParticipantAdded);
    }

    #[test]
    fn only_a_new_name_is_a_name() {
        let columns =
            Columns { item_type: 2, group_title: Some("Pals"), other_address: Some(""), ..Columns::default() };
        assert_eq!(
            event(&columns).unwrap(),
            Event { kind: EventKind::Renamed, name: Some("Pals".into()), handle: None }
        );
        assert_eq!(event(&Columns { group_title: Some(""), ..columns }).unwrap().name, None);
        assert_eq!(event(&Columns { item_type: 3, ..columns }).unwrap().name, None);
    }
}
