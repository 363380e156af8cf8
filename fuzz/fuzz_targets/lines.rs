//! See [`imsgd_fuzz::targets::lines`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| imsgd_fuzz::targets::lines(data));
