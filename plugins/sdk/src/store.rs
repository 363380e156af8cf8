//! The policy's own durable state: keys to values of any serde type, kept as JSON.
//!
//! What one call writes commits together with its answer. A call that traps writes nothing.
//!
//! ```
//! use imsgd_plugin::store::{self, Table};
//!
//! // One value under one key,
//! let count = store::get::<u64>("count").unwrap_or_default() + 1;
//! store::set("count", &count);
//!
//! // or many of one type, under keys that begin alike.
//! const SEEN: Table<u64> = Table::new("seen/");
//! SEEN.set("+15551234567", &1_700_000_000_000);
//! assert_eq!(SEEN.get("+15551234567"), Some(1_700_000_000_000));
//! assert_eq!(SEEN.iter().count(), 1);
//! ```

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(target_arch = "wasm32")]
use crate::bindings::imports::imsgd::policy::store as bytes;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::store as bytes;

/// Panics where the value is not a `T`: the message is then held rather than judged without it.
pub fn get<T: DeserializeOwned>(key: &str) -> Option<T> {
    let value = bytes::get(key)?;
    match serde_json::from_slice(&value) {
        Ok(value) => Some(value),
        Err(error) => panic!("store: `{key}` is not what this policy writes: {error}"),
    }
}

/// Panics where `T` has no form in JSON, such as a map whose keys are not strings.
pub fn set<T: Serialize + ?Sized>(key: &str, value: &T) {
    match serde_json::to_vec(value) {
        Ok(value) => bytes::set(key, &value),
        Err(error) => panic!("store: cannot write `{key}`: {error}"),
    }
}

pub fn delete(key: &str) {
    bytes::delete(key);
}

/// Keys that begin with `prefix`, in byte order.
pub fn keys(prefix: &str) -> Vec<String> {
    bytes::keys(prefix)
}

/// Values of one type by name. The key of each is the prefix and the name: `Table::new("paired/")` keeps Ann's under
/// `paired/+15551234567`. Let no prefix begin with another one.
pub struct Table<T> {
    prefix: &'static str,
    values: PhantomData<fn() -> T>,
}

impl<T> Table<T> {
    pub const fn new(prefix: &'static str) -> Self {
        Self { prefix, values: PhantomData }
    }

    pub fn delete(&self, name: &str) {
        delete(&self.key(name));
    }

    /// In byte order.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let prefix = self.prefix;
        keys(prefix).into_iter().filter_map(move |key| key.strip_prefix(prefix).map(str::to_owned))
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

impl<T: Serialize + DeserializeOwned> Table<T> {
    /// Panics where the value is not a `T`, as [`get`] does.
    pub fn get(&self, name: &str) -> Option<T> {
        get(&self.key(name))
    }

    pub fn set(&self, name: &str, value: &T) {
        set(&self.key(name), value);
    }

    /// Names and values, in byte order of the names. What is deleted meanwhile is left out.
    pub fn iter(&self) -> impl Iterator<Item = (String, T)> {
        self.names().filter_map(|name| {
            let value = self.get(&name)?;
            Some((name, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn values_come_back_as_they_were_set() {
        testing::reset();
        set("count", &7_u32);
        set("counted", &vec!["a"]);
        assert_eq!(get::<u32>("count"), Some(7));
        assert_eq!(keys("count"), ["count", "counted"]);
        delete("count");
        assert_eq!(get::<u32>("count"), None);
    }

    #[test]
    #[should_panic(expected = "`count` is not what this policy writes")]
    fn a_value_of_another_type_is_a_panic() {
        testing::reset();
        set("count", "seven");
        get::<u32>("count");
    }

    #[test]
    fn a_table_has_the_values_under_its_prefix_and_no_others() {
        testing::reset();
        const ODD: Table<u32> = Table::new("odd/");
        ODD.set("three", &3);
        ODD.set("one", &1);
        set("even/two", &2);
        assert_eq!(get::<u32>("odd/three"), Some(3));
        assert_eq!(ODD.iter().collect::<Vec<_>>(), [("one".to_owned(), 1), ("three".to_owned(), 3)]);
        for name in ODD.names() {
            ODD.delete(&name);
        }
        assert_eq!((ODD.get("one"), keys("")), (None, vec!["even/two".to_owned()]));
    }
}
