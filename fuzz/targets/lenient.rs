//! The reader of broken documents: `feedmill::parse::fuzz::lenient` says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| feedmill::parse::fuzz::lenient(data));
