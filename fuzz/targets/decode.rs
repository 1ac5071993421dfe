//! Bytes to text: `feedmill::parse::fuzz::decode` says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| feedmill::parse::fuzz::decode(data));
