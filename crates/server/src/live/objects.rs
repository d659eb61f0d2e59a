//! Objects of one kind as a watch tells of them.

use std::collections::HashMap;

use crate::driver::kubernetes::Seen;

/// The objects of one kind in one cluster, by their key.
#[derive(Debug)]
pub(super) struct Objects<T> {
    now: HashMap<String, T>,
    /// What a list has told so far.
    listing: Option<HashMap<String, T>>,
    key: fn(&T) -> &str,
    /// Whether all of them were told since [`Objects::begin`].
    listed: bool,
}

/// What became of objects.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed<T> {
    pub(super) put: Vec<T>,
    /// As those of `put` were before, where they were.
    pub(super) replaced: Vec<T>,
    pub(super) gone: Vec<T>,
}

impl<T> Default for Changed<T> {
    fn default() -> Self {
        Self { put: Vec::new(), replaced: Vec::new(), gone: Vec::new() }
    }
}

impl<T: Clone + PartialEq> Objects<T> {
    pub(super) fn new(key: fn(&T) -> &str) -> Self {
        Self { now: HashMap::new(), listing: None, key, listed: false }
    }

    /// The watch begins anew; until it has listed all, what it told before is all there is.
    pub(super) fn begin(&mut self) {
        self.listed = false;
        self.listing = None;
    }

    pub(super) fn is_listed(&self) -> bool {
        self.listed
    }

    pub(super) fn get(&self, key: &str) -> Option<&T> {
        self.now.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.now.values()
    }

    /// Takes in what was seen, and tells what differs from before.
    pub(super) fn see(&mut self, seen: Seen<T>) -> Changed<T> {
        match (seen, &mut self.listing) {
            (Seen::Listing, listing) => {
                *listing = Some(HashMap::new());
                Changed::default()
            }
            (Seen::Put(object), Some(listing)) => {
                listing.insert((self.key)(&object).to_owned(), object);
                Changed::default()
            }
            (Seen::Put(object), None) => {
                let key = (self.key)(&object);
                if self.now.get(key) == Some(&object) {
                    return Changed::default();
                }
                let replaced = self.now.insert(key.to_owned(), object.clone()).into_iter().collect();
                Changed { put: vec![object], replaced, gone: Vec::new() }
            }
            (Seen::Gone(key), _) => Changed { gone: self.now.remove(&key).into_iter().collect(), ..Changed::default() },
            (Seen::Listed, listing) => {
                let mut before = std::mem::replace(&mut self.now, listing.take().unwrap_or_default());
                self.listed = true;
                let mut changed = Changed::default();
                for (key, object) in &self.now {
                    let old = before.remove(key);
                    if old.as_ref() != Some(object) {
                        changed.put.push(object.clone());
                        changed.replaced.extend(old);
                    }
                }
                changed.gone = before.into_values().collect();
                changed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Object = (String, u8);

    fn object(key: &str, value: u8) -> Object {
        (key.into(), value)
    }

    #[test]
    fn a_list_tells_what_differs_from_what_was_known() {
        let mut objects: Objects<Object> = Objects::new(|object| &object.0);
        let mut list = |listed: &[Object]| {
            objects.see(Seen::Listing);
            for object in listed {
                assert_eq!(objects.see(Seen::Put(object.clone())), Changed::default());
            }
            objects.see(Seen::Listed)
        };
        assert_eq!(list(&[object("a", 1)]), Changed { put: vec![object("a", 1)], ..Changed::default() });
        assert_eq!(
            list(&[object("a", 1), object("b", 1)]),
            Changed { put: vec![object("b", 1)], ..Changed::default() }
        );
        assert_eq!(
            list(&[object("b", 2)]),
            Changed { put: vec![object("b", 2)], replaced: vec![object("b", 1)], gone: vec![object("a", 1)] }
        );
    }

    #[test]
    fn what_does_not_change_is_not_told() {
        let mut objects: Objects<Object> = Objects::new(|object| &object.0);
        assert_eq!(objects.see(Seen::Put(object("a", 1))).put.len(), 1);
        assert_eq!(objects.see(Seen::Put(object("a", 1))).put.len(), 0);
        assert_eq!(objects.see(Seen::Gone("a".into())).gone, [object("a", 1)]);
        assert_eq!(objects.see(Seen::Gone("a".into())).gone, []);
    }
}
