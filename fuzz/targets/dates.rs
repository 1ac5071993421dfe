//! Dates: `feedmill::parse::fuzz::dates` says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| feedmill::parse::fuzz::dates(data));
