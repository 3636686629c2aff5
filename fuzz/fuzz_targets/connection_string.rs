#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::connection_string::check(data));
