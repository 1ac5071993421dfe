//! The strict look and feed-rs: `feedmill::parse::fuzz::first_reader` says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: {
        // libFuzzer's hook ends the process at any panic. One inside of feed-rs is caught by the parser, as it is in the
        // daemon; any other still ends the run, where it would leave the target.
        let _ = std::panic::take_hook();
    },
    |data: &[u8]| feedmill::parse::fuzz::first_reader(data)
);
