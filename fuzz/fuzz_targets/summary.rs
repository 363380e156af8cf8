//! See [`imsgd_fuzz::targets::summary`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| imsgd_fuzz::targets::summary(data));
