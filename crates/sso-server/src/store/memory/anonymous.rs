//! The sessions in which nobody is logged in, in the order of their last use: when there are too many, the first ones make room.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use super::cell::Cell;

pub(super) struct Anonymous {
    limit: usize,
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    next: u64,
    taken: BTreeMap<u64, Arc<Cell>>,
}

impl Anonymous {
    pub(super) fn new(limit: usize) -> Self {
        // The newest never makes room for itself.
        Self { limit: limit.max(1), places: Mutex::default() }
    }

    /// Puts the cell at the end, from wherever it was; its new place.
    pub(super) fn renew(&self, place: Option<u64>, cell: &Arc<Cell>) -> Option<u64> {
        let mut places = self.places.lock();
        if let Some(place) = place {
            places.taken.remove(&place);
        }
        let place = places.next;
        places.next += 1;
        places.taken.insert(place, cell.clone());
        Some(place)
    }

    pub(super) fn leave(&self, place: Option<u64>) {
        if let Some(place) = place {
            self.places.lock().taken.remove(&place);
        }
    }

    /// The longest unused one, if there are more than there may be.
    pub(super) fn surplus(&self) -> Option<Arc<Cell>> {
        let places = self.places.lock();
        let first = places.taken.first_key_value().filter(|_| places.taken.len() > self.limit);
        first.map(|(_, cell)| cell.clone())
    }
}
