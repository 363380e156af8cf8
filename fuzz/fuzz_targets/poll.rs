//! See [`imsgd_fuzz::targets::poll`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| imsgd_fuzz::targets::poll(data));
