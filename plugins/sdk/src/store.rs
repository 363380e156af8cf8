//! The policy's own durable state: keys to values of any serde type, kept as JSON.
//!
//! What one call writes commits together with its answer. A call that traps writes nothing.

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
}
